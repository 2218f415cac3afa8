//! What tells the tool that makes a component of a module which interfaces it may import, and what
//! their functions are: a section of its own for each world.

use wit_component::{StringEncoding, metadata};
use wit_parser::{Resolve, WorldId};

/// A module with the section of a world, which the linker keeps.
pub(crate) fn module(resolve: &Resolve, world: WorldId, name: &str) -> String {
    let package = resolve.worlds[world].package.expect("a package");
    let package = &resolve.packages[package].name;
    let bytes = metadata::encode(resolve, world, StringEncoding::UTF8, None, false);
    let bytes = bytes.expect("a world that can be encoded");
    format!(
        "mod {name} {{
    #[unsafe(link_section = \"component-type:iommap-guest:{package}:{name}\")]
    static WORLD: [u8; {length}] = *b\"\\
{text}\";

    #[used]
    static KEPT: fn() = keep;

    fn keep() {{
        wit_bindgen::rt::maybe_link_cabi_realloc();
    }}
}}
",
        length = bytes.len(),
        text = literal(&bytes),
    )
}

/// The bytes in a literal, in lines of less than 100 characters.
fn literal(bytes: &[u8]) -> String {
    let (mut text, mut width) = (String::new(), 0);
    for &byte in bytes {
        let escaped = if byte == 0 { "\\0".into() } else { byte.escape_ascii().to_string() };
        // A line that ends in a backslash takes the blanks of the next one away.
        if width + escaped.len() > 98 && byte != b' ' {
            text += "\\\n";
            width = 0;
        }
        width += escaped.len();
        text += &escaped;
    }
    text
}
