//! Sizes: what no longer fits on a few screens is two things.

use syn::visit::{self, Visit};

use super::{Finding, workspace::Workspace};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
/// A service's `lib.rs` lists what the service registers and does nothing else.
const SERVICE_LIST_LINES_MAX: usize = 120;

pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, source) in &workspace.sources {
        if source.lines > FILE_LINES_MAX {
            findings.push(Finding::at(
                path,
                format!(
                    "{} lines, at most {FILE_LINES_MAX}: give each concept in it a file of its own",
                    source.lines
                ),
            ));
        }
        if is_service_list(path) && source.lines > SERVICE_LIST_LINES_MAX {
            findings.push(Finding::at(
                path,
                format!(
                    "{} lines, at most {SERVICE_LIST_LINES_MAX}: a service's lib.rs only lists what it \
                     registers; move the code to the file of its concept",
                    source.lines
                ),
            ));
        }
        let mut functions = Functions { path, findings: &mut findings };
        functions.visit_file(&source.syntax);
    }
    findings
}

fn is_service_list(path: &str) -> bool {
    path.starts_with("crates/service-") && path.ends_with("/src/lib.rs")
}

struct Functions<'a> {
    path: &'a str,
    findings: &'a mut Vec<Finding>,
}

impl Functions<'_> {
    /// Counts from the line with `fn` to the closing brace: attributes and comments above are free.
    fn measure(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let first = signature.fn_token.span.start().line;
        let last = block.brace_token.span.close().end().line;
        let lines = last - first + 1;
        if lines > FUNCTION_LINES_MAX {
            self.findings.push(Finding::at_line(
                self.path,
                first,
                format!(
                    "function `{}` has {lines} lines, at most {FUNCTION_LINES_MAX}: keep the branches, move \
                     what each does into a function of its own",
                    signature.ident
                ),
            ));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.measure(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(path: &str, text: &str) -> Vec<String> {
        check(&Workspace::of(&[(path, text)])).into_iter().map(|finding| finding.place).collect()
    }

    #[test]
    fn a_file_may_have_500_lines_and_not_501() {
        let path = "crates/kernel/src/lib.rs";
        assert!(places(path, &"\n".repeat(500)).is_empty());
        assert_eq!(places(path, &"\n".repeat(501)), [path]);
    }

    #[test]
    fn a_function_may_have_70_lines_and_not_71_wherever_it_stands() {
        let path = "crates/kernel/src/lib.rs";
        let body = |lines: usize| format!("{{{}}}", "\n".repeat(lines - 1));
        for (before, after) in
            [("", ""), ("impl A {", "}"), ("trait A {", "}"), ("mod tests { #[test] ", "}")]
        {
            let text = |lines| format!("\n{before}fn long() {}{after}", body(lines));
            assert!(places(path, &text(70)).is_empty(), "{before}");
            assert_eq!(places(path, &text(71)), [format!("{path}:2")], "{before}");
        }
    }

    #[test]
    fn the_list_of_a_service_is_shorter_than_other_files() {
        let text = "\n".repeat(121);
        assert_eq!(places("crates/service-order/src/lib.rs", &text).len(), 1);
        assert!(places("crates/service-order/src/domain.rs", &text).is_empty());
    }
}
