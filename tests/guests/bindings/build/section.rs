//! What tells the tool that makes a component of a module which interfaces it may import, and what
//! their functions are: a section of its own for each world.

use wit_component::{StringEncoding, metadata};
use wit_parser::{Resolve, WorldId};

/// The section of a world.
pub(crate) fn section(resolve: &Resolve, world: WorldId, name: &str) -> String {
    let package = resolve.worlds[world].package.expect("a package");
    let package = &resolve.packages[package].name;
    let bytes = metadata::encode(resolve, world, StringEncoding::UTF8, None, false);
    let bytes = bytes.expect("a world that can be encoded");
    format!(
        "#[unsafe(link_section = concat!(\"component-type:iommap-guest \", env!(\"CARGO_PKG_VERSION\"), \":{package}:{name}\"))]
static {constant}: [u8; {length}] = *b\"\
{text}\";
",
        constant = name.to_uppercase(),
        length = bytes.len(),
        text = literal(&bytes),
    )
}

/// What a linker takes all sections for: whoever refers to it has them. They are in one module, and
/// so in one object, since a linker takes no object that nothing refers to.
pub(crate) const KEEP: &str = "
#[inline(never)]
pub fn keep() {
    wit_bindgen::rt::maybe_link_cabi_realloc();
}
";

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
