//! An interface as Rust declares it: its types as the canonical ABI lays them out in memory, and its
//! functions as a module imports them.
//!
//! Only what `wit/` has is known here. What has nothing to do with it panics.

use std::fmt::Write;
use wit_parser::{
    Function, FunctionKind, Handle, InterfaceId, Resolve, Type, TypeDef, TypeDefKind, TypeOwner,
};

/// What a module has for one interface.
pub(crate) fn module(resolve: &Resolve, id: InterfaceId) -> String {
    let interface = Interface { resolve, id };
    let own = &resolve.interfaces[id];
    let mut text = String::new();
    for ty in own.types.values() {
        text += &interface.type_of(&resolve.types[*ty]);
    }
    writeln!(text, "    #[link(wasm_import_module = \"{}\")]", resolve.id_of(id).expect("a name"))
        .unwrap();
    text += "    unsafe extern \"C\" {\n";
    for ty in own.types.values() {
        let TypeDef { name, kind: TypeDefKind::Resource, .. } = &resolve.types[*ty] else {
            continue;
        };
        let name = name.as_ref().expect("a name");
        writeln!(text, "        #[link_name = \"[resource-drop]{name}\"]").unwrap();
        let safe = interface.safe();
        writeln!(text, "        pub {safe}fn drop_{0}({0}: u32);", snake(name)).unwrap();
    }
    for function in own.functions.values() {
        text += &interface.import(function);
    }
    let name = snake(own.name.as_ref().expect("a name"));
    format!("pub mod {name} {{\n    use super::*;\n{text}    }}\n}}\n")
}

struct Interface<'r> {
    resolve: &'r Resolve,
    id: InterfaceId,
}

impl Interface<'_> {
    /// A type that is defined here: nothing for those of other interfaces, and other names of types.
    fn type_of(&self, ty: &TypeDef) -> String {
        let name = ty.name.as_ref().expect("a name");
        let mut text = String::new();
        match &ty.kind {
            TypeDefKind::Enum(cases) => {
                text += "    #[derive(Clone, Copy)]\n    #[repr(u8)]\n";
                writeln!(text, "    pub enum {} {{", camel(name)).unwrap();
                for case in &cases.cases {
                    writeln!(text, "        {},", camel(&case.name)).unwrap();
                }
                text += "    }\n";
            }
            // A number and then the payload: the canonical ABI's variants are those of `repr(C, u8)`.
            TypeDefKind::Variant(cases) => {
                // Errors are made before a call, too, for its reply to take their place.
                let default = cases.cases[0].ty.is_none();
                text += if default { "    #[derive(Default)]\n" } else { "" };
                writeln!(text, "    #[repr(C, u8)]\n    pub enum {} {{", camel(name)).unwrap();
                for (at, case) in cases.cases.iter().enumerate() {
                    text += if at == 0 && default { "        #[default]\n" } else { "" };
                    let payload = case.ty.map(|ty| format!("({})", self.name(ty)));
                    writeln!(text, "        {}{},", camel(&case.name), payload.unwrap_or_default())
                        .unwrap();
                }
                text += "    }\n";
            }
            TypeDefKind::Record(record) => {
                text += "    #[derive(Default)]\n    #[repr(C)]\n";
                writeln!(text, "    pub struct {} {{", camel(name)).unwrap();
                for field in &record.fields {
                    writeln!(text, "        pub {}: {},", snake(&field.name), self.name(field.ty))
                        .unwrap();
                }
                text += "    }\n";
            }
            TypeDefKind::Flags(flags) => {
                assert!(flags.flags.len() <= 8, "{name} is more than a byte");
                writeln!(text, "    pub mod {} {{", snake(name)).unwrap();
                for (at, flag) in flags.flags.iter().enumerate() {
                    let flag = snake(&flag.name).to_uppercase();
                    writeln!(text, "        pub const {flag}: u8 = 1 << {at};").unwrap();
                }
                text += "    }\n";
            }
            TypeDefKind::Type(_) | TypeDefKind::Resource => {}
            other => panic!("{name} is a {}", other.as_str()),
        }
        text
    }

    /// A type by its name in Rust, as it lies in memory.
    fn name(&self, ty: Type) -> String {
        let id = match ty {
            Type::Bool => return "bool".into(),
            Type::U8 => return "u8".into(),
            Type::U32 => return "u32".into(),
            Type::U64 => return "u64".into(),
            Type::String => return "List".into(),
            Type::Id(id) => id,
            other => panic!("{other:?}"),
        };
        let definition = &self.resolve.types[id];
        match &definition.kind {
            TypeDefKind::Type(ty) => self.name(*ty),
            TypeDefKind::Handle(_) => "u32".into(),
            TypeDefKind::List(_) => "List".into(),
            TypeDefKind::Flags(_) => "u8".into(),
            TypeDefKind::Option(ty) => format!("Optional<{}>", self.name(*ty)),
            TypeDefKind::Enum(_) | TypeDefKind::Variant(_) | TypeDefKind::Record(_) => {
                let name = camel(definition.name.as_ref().expect("a name"));
                match definition.owner {
                    TypeOwner::Interface(owner) if owner != self.id => {
                        let owner = self.resolve.interfaces[owner].name.as_ref().expect("a name");
                        format!("{}::{name}", snake(owner))
                    }
                    _ => name,
                }
            }
            other => panic!("a {} in memory", other.as_str()),
        }
    }

    /// The declaration of a function. Whoever passes it an address must see to what is there.
    fn import(&self, function: &Function) -> String {
        let mut parameters = Vec::new();
        for parameter in &function.params {
            let name = match (&function.kind, &*parameter.name) {
                (FunctionKind::Method(resource), "self") => {
                    self.resolve.types[*resource].name.as_ref().expect("a name")
                }
                (_, name) => name,
            };
            self.flatten(&snake(name), parameter.ty, &mut parameters);
        }
        let safe =
            if parameters.iter().any(|(_, ty)| ty.starts_with('*')) { "" } else { self.safe() };
        let result = function.result.expect("every function has a result");
        parameters.push(("reply".into(), format!("&mut {}", self.reply(result))));
        let parameters: Vec<_> =
            parameters.iter().map(|(name, ty)| format!("{name}: {ty}")).collect();
        format!(
            "        #[link_name = \"{}\"]\n        pub {safe}fn {}({});\n",
            function.name,
            snake(function.item_name()),
            parameters.join(", "),
        )
    }

    /// What a function is declared as that is given no address. A window's is a number, which it keeps.
    fn safe(&self) -> &'static str {
        match self.resolve.interfaces[self.id].name.as_deref() {
            Some("windows") => "",
            _ => "safe ",
        }
    }

    /// What a function returns to the address that it is given.
    fn reply(&self, ty: Type) -> String {
        let Type::Id(id) = ty else { panic!("{ty:?} is no result") };
        let TypeDefKind::Result(result) = &self.resolve.types[id].kind else {
            panic!("{ty:?} is no result")
        };
        let ok = result.ok.map_or("()".into(), |ok| self.name(ok));
        let error = self.name(result.err.expect("an error"));
        // That is what a reply has unless it says otherwise.
        if error.ends_with("ErrorCode") {
            return format!("Reply<{ok}>");
        }
        format!("Reply<{ok}, {error}>")
    }

    /// A parameter as the numbers and addresses that are passed for it.
    fn flatten(&self, name: &str, ty: Type, to: &mut Vec<(String, String)>) {
        let list = |element: String| {
            [(name.into(), format!("*const {element}")), (format!("{name}_length"), "usize".into())]
        };
        let Type::Id(id) = ty else {
            match ty {
                Type::String => to.extend(list("u8".into())),
                ty => to.push((name.into(), self.name(ty))),
            }
            return;
        };
        match &self.resolve.types[id].kind {
            TypeDefKind::Type(ty) => self.flatten(name, *ty, to),
            TypeDefKind::List(element) => to.extend(list(self.name(*element))),
            TypeDefKind::Option(ty) => {
                to.push((format!("has_{name}"), "bool".into()));
                self.flatten(name, *ty, to);
            }
            TypeDefKind::Record(record) => {
                for field in &record.fields {
                    self.flatten(&format!("{name}_{}", snake(&field.name)), field.ty, to);
                }
            }
            TypeDefKind::Enum(_)
            | TypeDefKind::Flags(_)
            | TypeDefKind::Handle(Handle::Borrow(_)) => to.push((name.into(), self.name(ty))),
            other => panic!("{name} is a {}", other.as_str()),
        }
    }
}

fn snake(name: &str) -> String {
    name.replace('-', "_")
}

fn camel(name: &str) -> String {
    let words = name.split('-').map(|word| word[..1].to_uppercase() + &word[1..]);
    words.collect()
}
