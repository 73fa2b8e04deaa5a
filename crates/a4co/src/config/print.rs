//! The effective configuration as a file that could be given back: every key with what its own
//! documentation says, secrets hidden.

use serde_json::{Map, Value};

use super::{Configuration, shape};

const HEADER: &str = "\
# The configuration of a4co (docs/configuration.md). Every key may be left out; what stands here is
# what holds now. The command line is over the environment (A4CO__SECTION__KEY), that over this file.
# Times are written as people say them: \"90 seconds\", \"14 days\". A secret may stand in a file of
# its own: `master_key_file = \"path\"`. Paths are seen from where a4co is started.
";

/// The configuration as TOML.
pub fn print(configuration: &Configuration) -> String {
    let mut page = Page { text: HEADER.to_owned(), configuration };
    let values = serde_json::to_value(&configuration.settings).expect("settings are values");
    if let Value::Object(sections) = values {
        page.table(&shape::of_settings(), &Place::default(), &sections, true);
    }
    page.text
}

/// Where a table stands: as it is known, and as its head is written.
#[derive(Default)]
struct Place {
    known: String,
    head: String,
}

impl Place {
    fn below(&self, key: &str) -> Self {
        Self { known: join(&self.known, key), head: join(&self.head, &quoted(key)) }
    }
}

struct Page<'c> {
    text: String,
    configuration: &'c Configuration,
}

impl Page<'_> {
    /// A table: first its own keys, then the tables in it, as TOML wants it.
    fn table(&mut self, shape: &Value, at: &Place, table: &Map<String, Value>, explain: bool) {
        for (key, value) in table.iter().filter(|(_, value)| !is_table(value)) {
            let own = shape::child(shape, key).unwrap_or(&Value::Null);
            // The keys of a map are the operator's own; what is to be said stands at the map.
            let is_named = shape.get("properties").is_some_and(|named| named.get(key).is_some());
            if explain && is_named {
                self.remarks(own);
            }
            self.line(own, at, key, value);
        }
        for (key, value) in table.iter().filter(|(_, value)| is_table(value)) {
            let own = shape::child(shape, key).unwrap_or(&Value::Null);
            let below = at.below(key);
            let head = &below.head;
            match value {
                Value::Object(inner) => {
                    self.text.push('\n');
                    self.remarks(own);
                    self.text.push_str(&format!("[{head}]\n"));
                    self.table(own, &below, inner, true);
                }
                Value::Array(elements) => {
                    let element = shape::element(own).unwrap_or(&Value::Null);
                    for (place, inner) in elements.iter().enumerate() {
                        self.text.push('\n');
                        if place == 0 {
                            self.remarks(own);
                        }
                        self.text.push_str(&format!("[[{head}]]\n"));
                        self.table(element, &below, inner.as_object().unwrap_or(&Map::new()), place == 0);
                    }
                }
                _ => {}
            }
        }
    }

    fn remarks(&mut self, shape: &Value) {
        for line in shape::remarks(shape) {
            self.text.push_str(format!("# {line}").trim_end());
            self.text.push('\n');
        }
    }

    fn line(&mut self, shape: &Value, at: &Place, key: &str, value: &Value) {
        let file = self.configuration.secret_files.get(&join(&at.known, key));
        let (key, key_file) = (quoted(key), quoted(&format!("{key}_file")));
        let line = match (shape::is_secret(shape), file, value) {
            (true, Some(file), _) => format!("{key_file} = {}", text(file)),
            (true, None, Value::Null) => format!("# {key_file} = \"path\""),
            (true, None, _) => format!("# {key} = \"***\" (set, and not shown)"),
            (false, _, Value::Null) => format!("# {key} = \"…\""),
            (false, ..) => format!("{key} = {}", plain(value)),
        };
        self.text.push_str(&line);
        self.text.push('\n');
    }
}

fn is_table(value: &Value) -> bool {
    match value {
        Value::Object(_) => true,
        Value::Array(elements) => elements.first().is_some_and(Value::is_object),
        _ => false,
    }
}

fn join(at: &str, key: &str) -> String {
    if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") }
}

fn quoted(key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(is_bare) { key.to_owned() } else { text(key) }
}

fn text(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(value) => text(value),
        Value::Array(elements) => {
            let elements: Vec<String> = elements.iter().map(plain).collect();
            format!("[{}]", elements.join(", "))
        }
        other => other.to_string(),
    }
}
