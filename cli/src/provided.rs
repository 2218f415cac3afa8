//! What a component needs, and what of it this host does not provide: as wasmtime's linker says.

use crate::state::State;
use anyhow::{Result, anyhow};
use iommap::IommapView;
use std::fmt::Write as _;
use std::path::Path;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, InstancePre, Linker, LinkerInstance, ResourceType};
use wasmtime::{Engine, StoreContextMut};
use wasmtime_wasi::p2::bindings::CommandPre;

/// The packages whose interfaces this host provides, for advice.
const PACKAGES: [(&str, &str); 3] =
    [("iommap:mmap", "0.1"), ("iommap:wasi", "0.1"), ("wasi:", "0.2")];

/// What a component has to export to be run.
const RUN: &str = "wasi:cli/run";

/// An import for which the linker has nothing that fits.
#[derive(Debug)]
pub(crate) struct Missing {
    pub(crate) name: String,
    /// Why, as far as that can be told.
    pub(crate) why: String,
}

/// Everything that a component may import.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    iommap::add_to_linker_async(&mut linker, State::iommap)?;
    iommap::locks::add_to_linker_async(&mut linker, State::iommap)?;
    iommap::changes::add_to_linker_async(&mut linker, State::iommap)?;
    iommap::atomics::add_to_linker_async(&mut linker, State::iommap)?;
    iommap::windows::add_to_linker_async(&mut linker, State::iommap)?;
    iommap::wasi::add_to_linker_async(&mut linker, State::iommap, |state| &mut state.table)?;
    iommap::wasi::add_open_files_to_linker_async(&mut linker, State::iommap, |state| {
        &mut state.table
    })?;
    iommap::storage::add_to_linker_async(&mut linker, State::iommap)?;
    Ok(linker)
}

/// Gives a component what it imports, or says all that is missing.
pub(crate) fn link(path: &Path, component: &Component) -> Result<CommandPre<State>> {
    let linker = linker(component.engine()).map_err(|error| anyhow!("{error:#}"))?;
    let instance = match linker.instantiate_pre(component) {
        Ok(instance) => instance,
        Err(error) => return Err(not_linked(path, &missing(&linker, component), &error)),
    };
    command(&instance).ok_or_else(|| not_a_command(path, component))
}

/// The command in a component, if there is one that can be started.
pub(crate) fn command(instance: &InstancePre<State>) -> Option<CommandPre<State>> {
    CommandPre::new(instance.clone()).ok()
}

/// The imports of a component that a linker has nothing for, in the order in which it met them.
///
/// The linker names one at a time. A stub in its place brings up the next.
pub(crate) fn missing(linker: &Linker<State>, component: &Component) -> Vec<Missing> {
    let engine = component.engine();
    let ty = component.component_type();
    let imports: Vec<_> = ty.imports(engine).collect();
    let mut linker = linker.clone();
    linker.allow_shadowing(true);
    let mut missing: Vec<Missing> = Vec::new();
    while let Err(error) = linker.instantiate_pre(component) {
        let (said, cause) = (error.to_string(), error.root_cause().to_string());
        let is_new = |name: &str| missing.iter().all(|missing| missing.name != name);
        let named =
            imports.iter().find(|(name, _)| said.contains(&format!("`{name}`")) && is_new(name));
        let Some((name, import)) = named else { break };
        missing.push(Missing { name: (*name).to_owned(), why: why(name, &error, cause) });
        if stub(&mut linker.root(), engine, name, &import.ty).is_err() {
            break;
        }
    }
    missing
}

/// Defines something for an import, whatever it is good for.
fn stub(
    linker: &mut LinkerInstance<'_, State>,
    engine: &Engine,
    name: &str,
    item: &ComponentItem,
) -> wasmtime::Result<()> {
    match item {
        ComponentItem::ComponentFunc(_) => {
            linker.func_new(name, |_: StoreContextMut<'_, State>, _, _, _| Ok(()))
        }
        ComponentItem::ComponentInstance(instance) => {
            let mut inner = linker.instance(name)?;
            instance
                .exports(engine)
                .try_for_each(|(name, export)| stub(&mut inner, engine, name, &export.ty))
        }
        ComponentItem::Resource(_) => {
            linker.resource(name, ResourceType::host::<()>(), |_, _| Ok(()))
        }
        _ => Ok(()),
    }
}

/// Why there is nothing for an import.
fn why(name: &str, error: &wasmtime::Error, cause: String) -> String {
    let (package, version) = name.split_once('@').unwrap_or((name, ""));
    if package.starts_with("wasi:http/") {
        return "this host has no HTTP, neither for servers nor for clients".to_owned();
    }
    if package.starts_with("wasi:") && version.starts_with("0.3.") {
        return "this host provides WASI 0.2: build it for wasm32-wasip2".to_owned();
    }
    let ours = PACKAGES.into_iter().find(|(ours, _)| package.starts_with(ours));
    match ours {
        Some((_, ours)) if !version.starts_with(ours) => format!("this host has version {ours}"),
        // What it is about is the last but one of the reasons: a function of an interface.
        Some(_) => match error.chain().count().checked_sub(2) {
            Some(n @ 1..) => format!(
                "{}: {cause}",
                error.chain().nth(n).map_or_else(String::new, ToString::to_string)
            ),
            _ => cause,
        },
        None => String::new(),
    }
}

fn not_linked(path: &Path, missing: &[Missing], error: &wasmtime::Error) -> anyhow::Error {
    let shown = path.display();
    if missing.is_empty() {
        return anyhow!("{shown} does not agree with this host about an interface: {error:#}");
    }
    let mut list = String::new();
    for Missing { name, why } in missing {
        _ = write!(list, "\n  {name}");
        if !why.is_empty() {
            _ = write!(list, "  ({why})");
        }
    }
    anyhow!(
        "{shown} needs what this host does not provide:{list}\n\
         It provides iommap:mmap 0.1, iommap:wasi 0.1 and WASI 0.2 (the world wasi:cli/command). \
         Build the component against these, or compose it with one that exports what is missing, \
         as `wac plug` does"
    )
}

fn not_a_command(path: &Path, component: &Component) -> anyhow::Error {
    let shown = path.display();
    let exports = exports(component);
    if let Some(other) = exports.iter().find(|name| name.split('@').next() == Some(RUN)) {
        return anyhow!(
            "{shown} exports {other}, but this host runs {RUN}@0.2: build it for wasm32-wasip2"
        );
    }
    let list = match exports.as_slice() {
        [] => "It exports nothing".to_owned(),
        some => format!("It exports {}", some.join(", ")),
    };
    anyhow!(
        "{shown} cannot be run, since it does not export {RUN}. {list}: is it a library, or a \
         plugin for another host? A program has a `main` function and is built as a command"
    )
}

/// What a component imports, sorted by name.
pub(crate) fn imports(component: &Component) -> Vec<String> {
    let ty = component.component_type();
    let mut names: Vec<_> =
        ty.imports(component.engine()).map(|(name, _)| name.to_owned()).collect();
    names.sort();
    names
}

/// What a component exports.
pub(crate) fn exports(component: &Component) -> Vec<String> {
    let ty = component.component_type();
    ty.exports(component.engine()).map(|(name, _)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of what is missing for a component with these imports, each with the reason.
    fn lacks(imports: &str) -> Vec<(String, String)> {
        let engine = Engine::default();
        let binary = wat::parse_str(format!("(component {imports})")).unwrap();
        let component = Component::from_binary(&engine, &binary).unwrap();
        let missing = missing(&linker(&engine).unwrap(), &component);
        missing.into_iter().map(|Missing { name, why }| (name, why)).collect()
    }

    #[test]
    fn the_packages_that_are_said_to_be_provided_are() {
        let exit = r#"(import "wasi:cli/exit@0.2.0" (instance
            (type $r (result)) (export "exit" (func (param "status" $r)))))"#;
        assert_eq!(lacks(exit), []);
        let windows = r#"(import "iommap:mmap/windows@0.1.0" (instance
            (export "window" (type (sub resource)))))"#;
        assert_eq!(lacks(windows), []);
        for (package, version) in PACKAGES {
            let interface = match package {
                "wasi:" => continue,
                "iommap:wasi" => "files",
                _ => "types",
            };
            let import = |version: &str| {
                let missing = lacks(&format!(
                    r#"(import "{package}/{interface}@{version}" (instance (export "f" (func))))"#
                ));
                missing.into_iter().map(|(_, why)| why).collect::<String>()
            };
            assert!(import(&format!("{version}.0")).contains("`f`"), "{package}");
            assert_eq!(import("7.0.0"), format!("this host has version {version}"));
        }
    }

    #[test]
    fn all_that_is_missing_is_named_with_the_reason() {
        let missing = lacks(
            r#"(import "acme:db/query@1.0.0" (instance (export "f" (func))))
            (import "wasi:http/types@0.2.3" (instance (export "fields" (type (sub resource)))))
            (import "wasi:cli/run@0.3.0" (instance (export "f" (func))))
            (import "wasi:cli/exit@0.2.0" (instance (export "leave" (func))))
            (import "types:only/a@1.0.0" (instance (type $t (list u8)) (export "t" (type (eq $t)))))
            (import "f" (func))"#,
        );
        let names: Vec<_> = missing.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "acme:db/query@1.0.0",
                "wasi:http/types@0.2.3",
                "wasi:cli/run@0.3.0",
                "wasi:cli/exit@0.2.0",
                "f"
            ]
        );
        for ((_, why), part) in missing.iter().zip(["", "no HTTP", "wasip2", "`leave`", ""]) {
            assert!(why.contains(part), "{missing:?}");
        }
        assert!(missing[0].1.is_empty() && missing[4].1.is_empty(), "{missing:?}");
    }
}
