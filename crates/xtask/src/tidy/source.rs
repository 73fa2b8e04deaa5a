//! One parsed source file: its syntax, its tokens without comments, and which lines are test code.

use std::ops::RangeInclusive;

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use syn::visit::{self, Visit};

/// A token without its position in a tree: delimiters are tokens like others.
pub(super) struct Token {
    pub(super) text: String,
    pub(super) line: usize,
}

pub(super) struct Source {
    pub(super) syntax: syn::File,
    /// Comments are gone and a string literal is one token, so what a text says breaks no rule.
    pub(super) tokens: Vec<Token>,
    /// Lines of the file, the last one included.
    pub(super) lines: usize,
    /// The whole file is test code.
    pub(super) is_test: bool,
    test_lines: Vec<RangeInclusive<usize>>,
}

impl Source {
    pub(super) fn parse(text: &str) -> syn::Result<Self> {
        let syntax = syn::parse_file(text)?;
        let mut tokens = Vec::new();
        flatten(text.parse()?, &mut tokens);
        let mut finder = TestFinder { found: Vec::new() };
        finder.visit_file(&syntax);
        Ok(Self { syntax, tokens, lines: text.lines().count(), is_test: false, test_lines: finder.found })
    }

    /// Whether only tests run this line.
    pub(super) fn is_test_at(&self, line: usize) -> bool {
        self.is_test || self.test_lines.iter().any(|lines| lines.contains(&line))
    }
}

fn flatten(stream: TokenStream, into: &mut Vec<Token>) {
    for tree in stream {
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                into.push(Token { text: open.to_owned(), line: group.span_open().start().line });
                flatten(group.stream(), into);
                into.push(Token { text: close.to_owned(), line: group.span_close().start().line });
            }
            other => into.push(Token { line: other.span().start().line, text: other.to_string() }),
        }
    }
}

/// Whether an item with these attributes exists for tests only.
pub(super) fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let path = attribute.path();
        if path.is_ident("cfg") {
            let words = identifiers(&attribute.meta);
            return words.iter().any(|word| word == "test") && !words.iter().any(|word| word == "not");
        }
        // `#[test]`, `#[tokio::test]`
        path.segments.last().is_some_and(|segment| segment.ident == "test")
    })
}

fn identifiers(meta: &syn::Meta) -> Vec<String> {
    let mut tokens = Vec::new();
    if let syn::Meta::List(list) = meta {
        flatten(list.tokens.clone(), &mut tokens);
    }
    tokens.into_iter().map(|token| token.text).collect()
}

struct TestFinder {
    found: Vec<RangeInclusive<usize>>,
}

impl TestFinder {
    fn note(&mut self, attributes: &[syn::Attribute], first: Span, last: Span) {
        if is_for_tests(attributes) {
            self.found.push(first.start().line..=last.end().line);
        }
    }
}

impl Visit<'_> for TestFinder {
    fn visit_item_mod(&mut self, item: &syn::ItemMod) {
        if let Some((brace, _)) = &item.content {
            self.note(&item.attrs, item.mod_token.span, brace.span.close());
        }
        visit::visit_item_mod(self, item);
    }

    fn visit_item_fn(&mut self, item: &syn::ItemFn) {
        self.note(&item.attrs, item.sig.fn_token.span, item.block.brace_token.span.close());
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &syn::ImplItemFn) {
        self.note(&item.attrs, item.sig.fn_token.span, item.block.brace_token.span.close());
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_item_impl(&mut self, item: &syn::ItemImpl) {
        self.note(&item.attrs, item.impl_token.span, item.brace_token.span.close());
        visit::visit_item_impl(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_modules_and_functions_are_test_code_and_the_rest_is_not() {
        let source = Source::parse(
            "fn a() {}\n#[cfg(not(test))]\nfn b() {}\n#[cfg(test)]\nmod tests {\n  fn c() {}\n}\n#[tokio::test]\nasync fn d() {\n}\n",
        )
        .expect("it parses");
        let test_lines: Vec<usize> = (1..=10).filter(|line| source.is_test_at(*line)).collect();
        assert_eq!(test_lines, [5, 6, 7, 9, 10]);
    }
}
