use super::*;
use crate::{Bytes, PastTheEnd};

fn decode(bytes: &[u8]) -> Result<Value, Error<PastTheEnd>> {
    decode_at(bytes, 0)
}

fn decode_at(bytes: &[u8], at: u64) -> Result<Value, Error<PastTheEnd>> {
    value(&Bytes(bytes), Section { start: 0, end: bytes.len() as u64 }, at)
}

fn text(text: &str) -> Value {
    Value::String(text.into())
}

#[test]
fn every_type_is_decoded() {
    let double = [&[0x68][..], &1.5f64.to_be_bytes()].concat();
    let float = [&[0x04, 0x08][..], &(-2.5f32).to_be_bytes()].concat();
    let u128_ = [&[0x10, 0x03][..], &u128::MAX.to_be_bytes()].concat();
    for (bytes, expected) in [
        (&b"\x43abc"[..], text("abc")),
        (b"\x40", text("")),
        (&double, Value::Double(1.5)),
        (b"\x82\x00\xff", Value::Bytes(vec![0, 255])),
        (b"\xa0", Value::U16(0)),
        (b"\xa2\x01\x02", Value::U16(0x102)),
        (b"\xc1\x07", Value::U32(7)),
        (b"\xc4\xff\xff\xff\xff", Value::U32(u32::MAX)),
        (b"\xe0", Value::Map(vec![])),
        (b"\xe1\x41a\x01\x07", Value::Map(vec![("a".into(), Value::Bool(true))])),
        (b"\x04\x01\xff\xff\xff\xfe", Value::I32(-2)),
        (b"\x01\x01\xff", Value::I32(255)),
        (b"\x02\x02\x01\x00", Value::U64(256)),
        (&u128_, Value::U128(u128::MAX)),
        (b"\x00\x03", Value::U128(0)),
        (b"\x02\x04\xa1\x01\x41x", Value::Array(vec![Value::U16(1), text("x")])),
        (b"\x00\x07", Value::Bool(false)),
        (&float, Value::Float(-2.5)),
    ] {
        assert_eq!(decode(bytes), Ok(expected), "{bytes:02x?}");
        // Each prefix of it runs past the end.
        for cut in 0..bytes.len() {
            let error = decode(&bytes[..cut]).unwrap_err();
            assert!(matches!(error, Error::Invalid { .. }), "{:02x?}: {error:?}", &bytes[..cut]);
        }
    }
}

#[test]
fn sizes_of_every_length_are_decoded() {
    for (header, size) in [
        (&[0x5c][..], 28),
        (&[0x5d, 0], 29),
        (&[0x5d, 255], 284),
        (&[0x5e, 0, 0], 285),
        (&[0x5e, 255, 255], 65_820),
        (&[0x5f, 0, 0, 0], 65_821),
        (&[0x5f, 1, 0, 0], 131_357),
    ] {
        let bytes = [header, &vec![b'x'; size]].concat();
        assert_eq!(decode(&bytes), Ok(text(&"x".repeat(size))), "{size}");
    }
}

#[test]
fn pointers_of_every_length_are_followed() {
    for (pointer, target) in [
        (&[0x21, 2][..], 258),
        (&[0x28, 0, 1], 2_049),
        (&[0x2f, 255, 255], 526_335),
        (&[0x30, 0, 0, 0], 526_336),
        (&[0x38, 0, 9, 0, 0], 589_824),
    ] {
        let mut bytes = vec![0; target + 3];
        bytes[target..].copy_from_slice(b"\x42ok");
        bytes[..pointer.len()].copy_from_slice(pointer);
        assert_eq!(decode(&bytes), Ok(text("ok")), "{target}");
    }
}

#[test]
fn what_follows_a_pointer_is_found() {
    // A name and a value that both are pointers, and a value behind them.
    let bytes = b"\x41k\x41v\xe2\x20\x00\x20\x02\x41z\xa0";
    let expected = Value::Map(vec![("k".into(), text("v")), ("z".into(), Value::U16(0))]);
    assert_eq!(decode_at(bytes, 4), Ok(expected));
}

#[test]
fn pointers_are_relative_to_their_section() {
    let bytes = b"....\x41a\x20\x00";
    let section = Section { start: 4, end: 8 };
    assert_eq!(value(&Bytes(bytes), section, 6), Ok(text("a")));
}

#[test]
fn what_the_format_does_not_have_is_refused() {
    for bytes in [
        &b"\x00\x00"[..], // types 7, 12, 13 and 16
        b"\x00\x05",
        b"\x00\x06",
        b"\x00\x09",
        b"\x02\x07",   // a boolean of 2
        b"\xa3\0\0\0", // integers that are too long
        b"\xc5\0\0\0\0\0",
        b"\x05\x01\0\0\0\0\0",
        b"\x09\x02\0\0\0\0\0\0\0\0\0",
        b"\x67\0\0\0\0\0\0\0", // a double of 7 bytes
        b"\x03\x08\0\0\0",
        b"\x41\xff",         // not UTF-8
        b"\xe1\xa0\xa0",     // a name that is a number
        b"\x20\x02\x20\x00", // a pointer to a pointer
        b"\x27\xff",         // out of the section
        b"\x5f\xff\xff\xff", // text longer than the file
    ] {
        let error = decode(bytes).unwrap_err();
        assert!(
            matches!(error, Error::Invalid { .. } | Error::TooLarge { .. }),
            "{bytes:02x?}: {error:?}"
        );
    }
}

#[test]
fn a_value_that_contains_itself_ends() {
    // An array of one, which is a pointer to the array.
    assert!(matches!(decode(b"\x01\x04\x20\x00"), Err(Error::TooLarge { .. })));
    // The same, but each level has two: 2^64 values.
    assert!(matches!(decode(b"\x02\x04\x20\x00\x20\x00"), Err(Error::TooLarge { .. })));
    // A map whose name is itself.
    assert!(decode(b"\xe1\x20\x00\xa0").is_err());
}

#[test]
fn a_small_file_is_not_a_large_record() {
    // 65,000 times the same megabyte of text.
    let mut bytes = vec![0x5f, 0x0f, 0, 0];
    bytes.resize(4 + 65_821 + 0xf_0000, b'x');
    let array = bytes.len() as u64;
    bytes.extend([0x1e, 0x04, 0xff, 0xff]);
    for _ in 0..65_000 {
        bytes.extend([0x20, 0x00]);
    }
    assert!(matches!(decode_at(&bytes, array), Err(Error::TooLarge { .. })));
    // As many values as are declared are not allocated before they are there.
    assert!(matches!(decode(b"\x1f\x04\xff\xff\xff"), Err(Error::Invalid { .. })));
}
