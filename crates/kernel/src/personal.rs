//! Personal data that can be gone.

/// A value about a person. Erasing the person destroys the key that it was encrypted with, and
/// from then on it reads as *redacted*: code that uses it must say what it does then.
///
/// Written as the value itself, or as `{"redacted": true}`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Personal<T> {
    /// The value, readable.
    Known(T),
    /// The person was erased.
    Redacted,
}

impl<T> Personal<T> {
    /// The value, where it can still be read.
    pub fn known(&self) -> Option<&T> {
        match self {
            Personal::Known(value) => Some(value),
            Personal::Redacted => None,
        }
    }

    /// The value, where it can still be read.
    pub fn into_known(self) -> Option<T> {
        match self {
            Personal::Known(value) => Some(value),
            Personal::Redacted => None,
        }
    }

    /// True where the person was erased.
    pub fn is_redacted(&self) -> bool {
        matches!(self, Personal::Redacted)
    }
}

impl<T> From<T> for Personal<T> {
    fn from(value: T) -> Self {
        Personal::Known(value)
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    redacted: bool,
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Read<T> {
    Mark(Mark),
    Known(T),
}

impl<T: serde::Serialize> serde::Serialize for Personal<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Personal::Known(value) => value.serialize(serializer),
            Personal::Redacted => Mark { redacted: true }.serialize(serializer),
        }
    }
}

impl<'de, T: serde::Deserialize<'de>> serde::Deserialize<'de> for Personal<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Read::deserialize(deserializer)? {
            Read::Mark(Mark { redacted: true }) => Personal::Redacted,
            Read::Mark(_) => return Err(serde::de::Error::custom("redacted is true or absent")),
            Read::Known(value) => Personal::Known(value),
        })
    }
}

impl<T: schemars::JsonSchema> schemars::JsonSchema for Personal<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }
    // Without it the same shape would count as another type of equal name.
    fn schema_id() -> std::borrow::Cow<'static, str> {
        T::schema_id()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        T::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redacted_value_is_not_a_value_of_the_same_shape() {
        let known: Personal<String> = serde_json::from_str("\"Ana\"").unwrap();
        let gone: Personal<String> = serde_json::from_str("{\"redacted\":true}").unwrap();
        assert_eq!(known, Personal::Known("Ana".to_owned()));
        assert!(gone.is_redacted());
        assert_eq!(serde_json::to_string(&gone).unwrap(), "{\"redacted\":true}");
    }
}
