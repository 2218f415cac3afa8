//! The host: compiles a plugin once, and calls it in a store of its own each time, with limits.

mod state;

use state::{Mode, State, engine, store};
use std::process::ExitCode;
use std::time::Duration;
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Result, Trap};
use wasmtime_wasi::I32Exit;

/// On a thread that may wait.
mod waiting {
    wasmtime::component::bindgen!({ path: "../wit" });
}

/// On an executor, which goes on while a plugin waits for the disk.
mod yielding {
    wasmtime::component::bindgen!({ path: "../wit", exports: { default: async } });
}

/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the plugin answers, or how it failed.
type Answer = Result<Result<u64, String>>;

/// The component, the directory, the path and the word; the answer, and what the plugin was refused.
type Count = fn(&str, &str, &str, &str) -> Result<(Answer, Option<String>)>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [component, dir, path, word] = &args[..] else {
        eprintln!("usage: host PLUGIN.wasm DIR PATH WORD\n\nThe plugin sees DIR as /data.");
        return ExitCode::from(2);
    };
    let ways: [(&str, Count); 2] = [("waiting", on_thread), ("yielding", on_executor)];
    let mut ended = ExitCode::SUCCESS;
    for (how, count) in ways {
        let called = count(component, dir, path, word);
        let (answer, refused) = called.unwrap_or_else(|error| (Err(error), None));
        match answer {
            Ok(Ok(count)) => {
                println!("{how}: {word:?} is {count} times in {path}");
                continue;
            }
            // What the plugin says, by the types of its own interface.
            Ok(Err(said)) => eprintln!("{how}: the plugin says: {said}"),
            Err(error) => eprintln!("{how}: the plugin failed: {}", why(&error)),
        }
        // The plugin is told a code. The reason names what is granted: it is for whoever runs this.
        if let Some(refused) = refused {
            eprintln!("{how}: it was refused: {refused}");
        }
        ended = ExitCode::FAILURE;
    }
    ended
}

/// A trap, an end by `exit`, or a plugin that does not fit: this call is over, and nothing else.
fn why(error: &wasmtime::Error) -> String {
    if let Some(I32Exit(code)) = error.downcast_ref() {
        return format!("it ended itself with exit code {code}");
    }
    match error.downcast_ref() {
        Some(Trap::Interrupt) => "its time is up".to_owned(),
        // Without the functions that it was in, which are for whoever wrote it: `{error:?}`.
        Some(trap) => trap.to_string(),
        None => format!("{error:#}"),
    }
}

fn on_thread(
    component: &str,
    dir: &str,
    path: &str,
    word: &str,
) -> Result<(Answer, Option<String>)> {
    let engine = engine()?;
    let mut linker = Linker::<State>::new(&engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
    iommap::add_to_linker(&mut linker, iommap::IommapView::iommap)?;
    // Once for all calls: compiling takes seconds, an instance microseconds.
    let plugin = linker.instantiate_pre(&Component::from_file(&engine, component)?)?;
    let plugin = waiting::PluginPre::new(plugin)?;

    let mut store = store(&engine, dir, Mode::Ends(PATIENCE))?;
    let plugin = plugin.instantiate(&mut store);
    let answer = plugin.and_then(|plugin| plugin.call_count(&mut store, path, word));
    Ok((answer, store.data().first_refusal()))
}

fn on_executor(
    component: &str,
    dir: &str,
    path: &str,
    word: &str,
) -> Result<(Answer, Option<String>)> {
    let executor = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    executor.block_on(async {
        let engine: Engine = engine()?;
        let mut linker = Linker::<State>::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        iommap::add_to_linker_async(&mut linker, iommap::IommapView::iommap)?;
        let plugin = linker.instantiate_pre(&Component::from_file(&engine, component)?)?;
        let plugin = yielding::PluginPre::new(plugin)?;

        let mut store = store(&engine, dir, Mode::Yields)?;
        let call = async {
            let plugin = plugin.instantiate_async(&mut store).await?;
            plugin.call_count(&mut store, path, word).await
        };
        // Where the time is up, the call is dropped, and the plugin with it.
        let ended = tokio::time::timeout(PATIENCE, call).await;
        let answer = ended.unwrap_or_else(|_| Err(wasmtime::format_err!("its time is up")));
        Ok((answer, store.data().first_refusal()))
    })
}
