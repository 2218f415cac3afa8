//! What is said of a component that trapped.

use crate::place::{Ended, Place};
use gimli::write::{
    Address, AttributeValue, Dwarf, EndianVec, LineProgram, LineString, Sections, Unit,
};
use gimli::{
    DW_AT_comp_dir, DW_AT_high_pc, DW_AT_low_pc, Encoding, Format, LineEncoding, LittleEndian,
};
use std::fmt::Write;

/// Debug information as custom sections of a module: which instruction, by its offset in the code,
/// comes from which line of `/src/plugin.c`.
fn debug_sections(lines: &[(u64, u64)], length: u64) -> String {
    let encoding = Encoding { format: Format::Dwarf32, version: 4, address_size: 4 };
    let string = |text: &str| LineString::String(text.into());
    let (folder, file) = (string("/src"), string("plugin.c"));
    let mut program =
        LineProgram::new(encoding, LineEncoding::default(), folder, None, file.clone(), None);
    let file = program.add_file(file, program.default_directory(), None);
    program.begin_sequence(Some(Address::Constant(0)));
    for (offset, line) in lines {
        let row = program.row();
        (row.address_offset, row.file, row.line) = (*offset, file, *line);
        program.generate_row();
    }
    program.end_sequence(length);
    let mut dwarf = Dwarf::new();
    let unit = dwarf.units.add(Unit::new(encoding, program));
    let unit = dwarf.units.get_mut(unit);
    let root = unit.get_mut(unit.root());
    root.set(DW_AT_comp_dir, AttributeValue::String(b"/src".to_vec()));
    root.set(DW_AT_low_pc, AttributeValue::Address(Address::Constant(0)));
    root.set(DW_AT_high_pc, AttributeValue::Udata(length));

    let mut sections = Sections::new(EndianVec::new(LittleEndian));
    dwarf.write(&mut sections).unwrap();
    let mut text = String::new();
    sections
        .for_each(|id, data| {
            let escaped = data.slice().iter().fold(String::new(), |mut escaped, byte| {
                write!(escaped, "\\{byte:02x}").unwrap();
                escaped
            });
            writeln!(text, r#"(@custom "{}" "{escaped}")"#, id.name())
        })
        .unwrap();
    text
}

/// A component whose `run` calls a function that traps.
fn trapping(sections: &str) -> Vec<u8> {
    // Another module comes first: an offset in the component is none in the module.
    let text = format!(
        r#"(component
            (core module (func unreachable) (func nop))
            (core module $guest
                (func $_ZN6plugin4look17h0123456789abcdefE unreachable)
                (func $plugin_run (export "run") (result i32)
                    (call $_ZN6plugin4look17h0123456789abcdefE) (i32.const 0))
                {sections})
            (core instance $i (instantiate $guest))
            (func $run (result (result)) (canon lift (core func $i "run")))
            (instance $run (export "run" (func $run)))
            (export "wasi:cli/run@0.2.0" (instance $run)))"#
    );
    wat::parse_str(text).unwrap()
}

#[test]
fn a_crash_is_told_with_names_and_lines_of_the_source() {
    let place = Place::new();
    // A function's code is its size, its locals, and what it does.
    place.write("traps.wasm", trapping(&debug_sections(&[(0, 7), (5, 12)], 13)));
    let without = "It was in\n  plugin::look\n  plugin_run\n";
    let with = "It was in\n  plugin::look::h0123456789abcdef\n    at /src/plugin.c:7\n  \
        plugin_run\n    at /src/plugin.c:12\n";
    for (args, frames) in [(&["run"][..], without), (&["run", "-v"], with)] {
        let Ended { code, err, .. } = place.iommap(&[args, &["traps.wasm"]].concat());
        assert_eq!(code, Some(134), "{err}");
        assert!(err.contains(frames), "{err}");
    }
}

#[test]
fn debug_information_that_is_none_is_left_out() {
    let place = Place::new();
    let good = debug_sections(&[(0, 7), (5, 12)], 13);
    for sections in [
        "",
        r#"(@custom ".debug_info" "nonsense") (@custom ".debug_line" "\ff\ff\ff\ff")"#,
        &good.replace(".debug_line", ".debug_none"),
        &good.replace(".debug_abbrev", ".debug_none"),
    ] {
        place.write("traps.wasm", trapping(sections));
        let Ended { code, err, .. } = place.iommap(&["run", "-v", "traps.wasm"]);
        assert_eq!(code, Some(134), "{err}");
        assert!(
            err.contains("It was in\n  plugin::look::h0123456789abcdef\n  plugin_run\n"),
            "{err}"
        );
    }
}

#[test]
fn a_component_compiled_ahead_has_names_and_no_lines() {
    let place = Place::new();
    place.write("traps.wasm", trapping(&debug_sections(&[(0, 7), (5, 12)], 13)));
    assert_eq!(place.iommap(&["compile", "traps.wasm", "-o", "traps.cwasm"]).code, Some(0));
    let Ended { code, err, .. } = place.iommap(&["run", "--precompiled", "traps.cwasm"]);
    assert_eq!(code, Some(134), "{err}");
    assert!(err.contains("It was in\n  plugin::look\n  plugin_run\n"), "{err}");
}
