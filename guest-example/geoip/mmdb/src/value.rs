//! What records are made of.

/// A value of a record, with everything in it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Names and their values, in the order of the file.
    Map(Vec<(String, Value)>),
    /// Values in a row.
    Array(Vec<Value>),
    /// Text.
    String(String),
    /// Bytes without a meaning of their own.
    Bytes(Vec<u8>),
    /// Yes or no.
    Bool(bool),
    /// An unsigned integer of 16 bits.
    U16(u16),
    /// An unsigned integer of 32 bits.
    U32(u32),
    /// An unsigned integer of 64 bits.
    U64(u64),
    /// An unsigned integer of 128 bits.
    U128(u128),
    /// A signed integer of 32 bits.
    I32(i32),
    /// A floating-point number of 32 bits.
    Float(f32),
    /// A floating-point number of 64 bits.
    Double(f64),
}

impl Value {
    /// The value of a name, if this is a map that has it.
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Map(entries) => entries.iter().find(|entry| entry.0 == name).map(|e| &e.1),
            _ => None,
        }
    }

    /// The value that a path of names leads to, such as `["country", "iso_code"]`.
    pub fn at(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(self, |value, name| value.get(name))
    }

    /// Its text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// Its number, if it is an unsigned integer of at most 64 bits.
    pub fn as_u64(&self) -> Option<u64> {
        match *self {
            Value::U16(number) => Some(number.into()),
            Value::U32(number) => Some(number.into()),
            Value::U64(number) => Some(number),
            _ => None,
        }
    }

    /// The values in it, if it is an array.
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Value::Array(values) => Some(values),
            _ => None,
        }
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Value {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Map(entries) => serializer.collect_map(entries.iter().map(|(k, v)| (k, v))),
            Value::Array(values) => serializer.collect_seq(values),
            Value::String(text) => serializer.serialize_str(text),
            Value::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Value::Bool(yes) => serializer.serialize_bool(*yes),
            Value::U16(number) => serializer.serialize_u16(*number),
            Value::U32(number) => serializer.serialize_u32(*number),
            Value::U64(number) => serializer.serialize_u64(*number),
            Value::U128(number) => serializer.serialize_u128(*number),
            Value::I32(number) => serializer.serialize_i32(*number),
            Value::Float(number) => serializer.serialize_f32(*number),
            Value::Double(number) => serializer.serialize_f64(*number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_name() {
        let text = |text: &str| Value::String(text.into());
        let names = Value::Map(vec![("en".into(), text("Iceland")), ("de".into(), text("Island"))]);
        let value = Value::Map(vec![
            ("country".into(), Value::Map(vec![("names".into(), names)])),
            ("asn".into(), Value::U32(64_496)),
            ("list".into(), Value::Array(vec![Value::Bool(true)])),
        ]);
        let name = value.at(&["country", "names", "de"]).and_then(Value::as_str);
        assert_eq!(name, Some("Island"));
        assert_eq!(value.at(&["country", "names", "fr"]), None);
        assert_eq!(value.at(&["asn", "names"]), None);
        assert_eq!(value.get("asn").and_then(Value::as_u64), Some(64_496));
        assert_eq!(value.get("asn").and_then(Value::as_str), None);
        assert_eq!(value.get("list").and_then(Value::as_array), Some(&[Value::Bool(true)][..]));
        assert_eq!(value.at(&[]), Some(&value));
    }
}
