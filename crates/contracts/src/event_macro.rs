//! The three ways to declare a part of the published language: `event!`, `named!`, `choice!`.

/// Declares a public event: the struct, and its row in the catalogue taken from that struct.
///
/// The header says type, producer, consumers, ordering key, and whom the personal fields are about.
/// A field whose name serde would write differently says so: `requires_3ds as "requires3DS"`.
macro_rules! event {
    (
        $type:literal by $producer:literal, to [$($consumer:literal),*], keyed by $key:ident
        $(, about $person:ident)?;
        $(#[$doc:meta])*
        pub struct $name:ident {
            $($(#[$field_doc:meta])* $field:ident $(as $wire:literal)?: $field_type:ty),+ $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "camelCase")]
        #[schemars(rename = $type)]
        pub struct $name {
            $(
                $(#[$field_doc])*
                #[serde($(rename = $wire,)? skip_serializing_if = "crate::wire::is_absent")]
                pub $field: $field_type,
            )+
        }

        impl kernel::Event for $name {
            const TYPE: kernel::EventType = {
                const PERSONAL: &crate::wire::PersonalNames = &crate::wire::PersonalNames::among(&[$((
                    crate::event_macro::wire_name!($field $(, $wire)?),
                    <$field_type as crate::wire::Wire>::PERSONAL,
                )),+]);
                const ABOUT: Option<&str> =
                    crate::event_macro::given!($(crate::event_macro::wire_name!($person))?);
                assert!(
                    PERSONAL.as_slice().is_empty() == ABOUT.is_none(),
                    "an event with personal fields says whom they are `about`, and no other event does",
                );
                kernel::EventType {
                    name: $type,
                    subject: crate::event_macro::wire_name!($key),
                    producer: $producer,
                    consumers: &[$($consumer),*],
                    fields: &[$((
                        crate::event_macro::wire_name!($field $(, $wire)?),
                        <$field_type as crate::wire::Wire>::NAME,
                    )),+],
                    personal: PERSONAL.as_slice(),
                    subject_of_data: ABOUT,
                }
            };

            fn subject(&self) -> uuid::Uuid {
                self.$key.into()
            }

            fn person(&self) -> Option<uuid::Uuid> {
                crate::event_macro::given!($(self.$person.into())?)
            }
        }
    };
}

/// Declares a struct that several payloads share, under its own name in `events.toml`.
macro_rules! named {
    (
        $(#[$doc:meta])*
        pub struct $name:ident {
            $($(#[$field_doc:meta])* $field:ident: $field_type:ty),+ $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            $(
                $(#[$field_doc])*
                #[serde(skip_serializing_if = "crate::wire::is_absent")]
                pub $field: $field_type,
            )+
        }

        impl crate::wire::Wire for $name {
            const NAME: &'static str = stringify!($name);
        }

        impl $name {
            pub(crate) const NAMED: crate::catalogue::NamedType = crate::catalogue::NamedType {
                name: <$name as crate::wire::Wire>::NAME,
                fields: &[$((
                    crate::event_macro::wire_name!($field),
                    <$field_type as crate::wire::Wire>::NAME,
                )),+],
                values: "",
            };
        }
    };
}

/// Declares an enumeration. Without a name of its own in `events.toml` (`as "OrderState"`) its type
/// there is the list of its values: `normal|high|vip`. Values compare in the order of the list.
macro_rules! choice {
    (
        $(#[$doc:meta])*
        pub enum $name:ident $(as $own_name:literal)? {
            $(#[$first_doc:meta])* $first:ident = $first_wire:literal
            $(, $(#[$next_doc:meta])* $next:ident = $next_wire:literal)* $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug,
            serde::Serialize, serde::Deserialize, schemars::JsonSchema,
        )]
        pub enum $name {
            $(#[$first_doc])*
            #[serde(rename = $first_wire)]
            $first,
            $(
                $(#[$next_doc])*
                #[serde(rename = $next_wire)]
                $next,
            )*
        }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [$name] = &[$name::$first $(, $name::$next)*];

            /// The value as payloads write it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $name::$first => $first_wire,
                    $($name::$next => $next_wire,)*
                }
            }

            pub(crate) const VALUES: &'static str = concat!($first_wire $(, "|", $next_wire)*);
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl crate::wire::Wire for $name {
            const NAME: &'static str = crate::event_macro::either!($name::VALUES $(, $own_name)?);
        }
    };
}

/// The name of a field in a payload, as serde writes it.
macro_rules! wire_name {
    ($field:ident) => {{
        const NAME: &crate::wire::Text = &crate::wire::Text::camel_case(stringify!($field));
        NAME.as_str()
    }};
    ($field:ident, $wire:literal) => {
        $wire
    };
}

/// `Some` of what the declaration gives, `None` where it gives nothing.
macro_rules! given {
    () => {
        None
    };
    ($value:expr) => {
        Some($value)
    };
}

/// The second, where there is one; else the first.
macro_rules! either {
    ($default:expr) => {
        $default
    };
    ($default:expr, $given:expr) => {
        $given
    };
}

pub(crate) use {choice, either, event, given, named, wire_name};
