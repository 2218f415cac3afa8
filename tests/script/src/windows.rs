//! Commands for windows, of mappings that are opened by `open`, as the script's own:
//!
//! ```text
//! window NAME MAPPING OFFSET LENGTH OPTIONS   opens one; options: -, shared, populate, frozen
//! move NAME MAPPING OFFSET LENGTH             move_to
//! read NAME OFFSET LENGTH                     read_exact_at
//! number NAME OFFSET                          u64_le_at
//! sum NAME                                    all its bytes by plain loads, then check
//! slice NAME OFFSET LENGTH                    of a frozen one, as a slice
//! store NAME OFFSET DATA                      by plain stores
//! take-turns NAME OFFSET ROUNDS FIRST         as `meet`, by plain loads and stores in a shared window,
//!                                             with a call to the host in between
//! spin NAME OFFSET                            u64_le_at again and again until it fails
//! check NAME, check-by-host NAME, prefetch NAME OFFSET LENGTH, end NAME
//! slide NAME MAPPING COUNT BYTES              Windows, of a mapping that is theirs from now on
//! get NAME OFFSET LENGTH                      Windows::get
//! slid NAME                                   ok WINDOWS COPIES
//! churn MAPPING COUNT                         opens and drops so many windows, and uses the memory
//! file NAME PATH MODE                         std's File::open, for read or read-write
//! map-open MAPPING NAME MODE                  OpenOptions::map_open
//! file-drop NAME
//! ```

use std::collections::HashMap;
use std::fs::File;

use iommap_commands::{Bad, Words};
use iommap_guest::{Error, FrozenWindow, Mapping, Window, Windows};

use crate::{Answer, Script, span};

/// Mappings and windows with names.
pub struct WindowScript {
    script: Script,
    there: HashMap<String, There>,
    files: HashMap<String, File>,
}

enum There {
    Window(Window),
    Frozen(FrozenWindow),
    Windows(Box<Windows<Mapping>>),
}

impl WindowScript {
    /// No mappings and no windows yet.
    pub fn new(asked: fn() -> u64) -> WindowScript {
        WindowScript { script: Script::new(asked), there: HashMap::new(), files: HashMap::new() }
    }

    /// Carries out one command and says what came of it.
    pub fn step(&mut self, command: &str) -> String {
        let answer = Words::split(command).and_then(|words| self.answer(words));
        match answer {
            Ok(Some(answer)) => crate::said(Ok(answer)),
            Ok(None) => self.script.step(command),
            Err(bad) => crate::said(Err(bad)),
        }
    }

    /// `None` if it is a command of the script's own.
    fn answer(&mut self, mut words: Words) -> Result<Option<Result<Answer, Error>>, Bad> {
        let verb = words.text("a command")?;
        let nothing = |result: Result<(), Error>| result.map(|()| Answer::Nothing);
        Ok(Some(match &*verb {
            "window" => self.window(words)?,
            "slide" => self.slide(words)?,
            "file" => self.file(words)?,
            "map-open" => self.map_open(words)?,
            "file-drop" => {
                let name = words.text("a name")?;
                words.end()?;
                let known = self.files.remove(&name).is_some();
                if !known {
                    return Err(Bad(format!("there is no file {name:?}")));
                }
                Ok(Answer::Nothing)
            }
            "churn" => {
                let mapping = self.script.mapping(&words.text("a mapping")?)?;
                let count = words.number("a count")?;
                words.end()?;
                churn(mapping, count)
            }
            "move" => {
                let name = words.text("a name")?;
                let mapping = self.script.mapping(&words.text("a mapping")?)?;
                let range = span(&mut words)?;
                nothing(match self.there.get_mut(&name) {
                    Some(There::Window(window)) => window.move_to(mapping, range),
                    Some(There::Frozen(window)) => window.move_to(mapping, range),
                    _ => return Err(Bad(format!("there is no window {name:?}"))),
                })
            }
            "end" => {
                let name = words.text("a name")?;
                words.end()?;
                match self.there.remove(&name) {
                    Some(There::Window(window)) => nothing(window.close()),
                    Some(_) => Ok(Answer::Nothing),
                    None => return Err(Bad(format!("there is no window {name:?}"))),
                }
            }
            "read" | "number" | "sum" | "slice" | "store" | "spin" | "check" | "check-by-host"
            | "prefetch" | "get" | "slid" | "take-turns" => {
                let name = words.text("a name")?;
                let unknown = || Bad(format!("there is no window {name:?}"));
                match self.there.get_mut(&name).ok_or_else(unknown)? {
                    There::Windows(windows) => slid(&verb, windows, words)?,
                    There::Frozen(window) if verb == "slice" => {
                        let (offset, length) = span(&mut words)?;
                        let bytes = window.get(offset as usize..(offset + length) as usize);
                        let bytes = bytes.ok_or_else(|| Bad("it is shorter".into()))?;
                        Ok(Answer::Bytes(bytes.to_vec()))
                    }
                    There::Frozen(window) => used(&verb, window.as_window(), words)?,
                    #[cfg(feature = "atomics")]
                    There::Window(window) if verb == "take-turns" => {
                        let offset = words.number("an offset")? as usize;
                        if !offset.is_multiple_of(8) || offset >= window.len() {
                            return Err(Bad("there is no word".into()));
                        }
                        let word = window.as_mut_ptr().wrapping_add(offset).cast::<u64>();
                        let window = &*window;
                        // An engine may take a load for the same as the last one, if nothing in
                        // between could have changed the memory. A call to the host could.
                        let load = || {
                            window.check_by_host()?;
                            // SAFETY: a word of the window, which begins on a page and of which nobody
                            // has a slice.
                            Ok(unsafe { word.read_volatile() })
                        };
                        let store = |turn| {
                            // SAFETY: likewise.
                            unsafe { word.write_volatile(turn) };
                            Ok(())
                        };
                        crate::atomics::take_turns(crate::atomics::turns(words)?, load, store)
                    }
                    There::Window(window) if verb == "store" => {
                        let (offset, data) = (words.number("an offset")?, words.data()?);
                        words.end()?;
                        store(window, offset, &data)?;
                        Ok(Answer::Nothing)
                    }
                    There::Window(window) => used(&verb, window, words)?,
                }
            }
            _ => return Ok(None),
        }))
    }

    fn window(&mut self, mut words: Words) -> Result<Result<Answer, Error>, Bad> {
        let name = words.text("a name")?;
        let mapping = self.script.mapping(&words.text("a mapping")?)?;
        let range = (words.number("an offset")?, words.number("a length")?);
        let (mut options, mut frozen) = (Window::options(), false);
        for option in words.text("options")?.split(',') {
            match option {
                "-" => {}
                "shared" => _ = options.shared(true),
                "populate" => _ = options.populate(true),
                "frozen" => frozen = true,
                other => return Err(Bad(format!("{other:?} is no option"))),
            }
        }
        words.end()?;
        let opened = match frozen {
            false => options.open(mapping, range).map(There::Window),
            true => options.open_frozen(mapping, range).map(There::Frozen),
        };
        Ok(opened.map(|window| {
            self.there.insert(name, window);
            Answer::Nothing
        }))
    }

    fn file(&mut self, mut words: Words) -> Result<Result<Answer, Error>, Bad> {
        let (name, path) = (words.text("a name")?, words.text("a path")?);
        let writes = words.one_of("a mode", &MODES)?;
        words.end()?;
        let file = File::options().read(true).write(writes).open(path);
        self.files.insert(name, file.map_err(|error| Bad(error.to_string()))?);
        Ok(Ok(Answer::Nothing))
    }

    fn map_open(&mut self, mut words: Words) -> Result<Result<Answer, Error>, Bad> {
        let (mapping, name) = (words.text("a name")?, words.text("a file")?);
        let writes = words.one_of("a mode", &MODES)?;
        words.end()?;
        let unknown = || Bad(format!("there is no file {name:?}"));
        let file = self.files.get(&name).ok_or_else(unknown)?;
        Ok(Mapping::options().read(true).write(writes).map_open(file).map(|mapped| {
            self.script.keep(mapping, mapped);
            Answer::Nothing
        }))
    }

    fn slide(&mut self, mut words: Words) -> Result<Result<Answer, Error>, Bad> {
        let name = words.text("a name")?;
        let mapping = self.script.take(&words.text("a mapping")?)?;
        let (count, bytes) = (words.number("a count")?, words.number("a size")?);
        words.end()?;
        let windows = Windows::with_capacity(count as usize, bytes as usize, mapping);
        self.there.insert(name, There::Windows(Box::new(windows)));
        Ok(Ok(Answer::Nothing))
    }
}

/// Whether a file is written to.
const MODES: [(&str, bool); 2] = [("read", false), ("read-write", true)];

/// What a window is asked.
fn used(verb: &str, window: &Window, mut words: Words) -> Result<Result<Answer, Error>, Bad> {
    let nothing = |result: Result<(), Error>| result.map(|()| Answer::Nothing);
    Ok(match verb {
        "read" => {
            let (offset, length) = span(&mut words)?;
            let mut bytes = vec![0xee; length as usize];
            window.read_exact_at(offset as usize, &mut bytes).map(|()| Answer::Bytes(bytes))
        }
        "number" => {
            let offset = words.number("an offset")?;
            words.end()?;
            window.u64_le_at(offset as usize).map(Answer::Number)
        }
        "sum" => {
            words.end()?;
            // SAFETY: inside the window; a byte is read once, so that it may change meanwhile.
            let byte = |at: usize| unsafe { window.as_ptr().add(at).read_volatile() };
            let sum = (0..window.len()).map(|at| u64::from(byte(at))).sum();
            window.check().map(|()| Answer::Number(sum))
        }
        "spin" => {
            let offset = words.number("an offset")?;
            words.end()?;
            loop {
                if let Err(error) = window.u64_le_at(offset as usize) {
                    return Ok(Err(error));
                }
            }
        }
        "check" => nothing(window.check()),
        "check-by-host" => nothing(window.check_by_host()),
        "prefetch" => {
            let (offset, length) = span(&mut words)?;
            nothing(window.prefetch(offset as usize..(offset + length) as usize))
        }
        other => return Err(Bad(format!("a window has no {other:?}"))),
    })
}

/// What sliding windows are asked.
fn slid(
    verb: &str,
    windows: &mut Windows<Mapping>,
    mut words: Words,
) -> Result<Result<Answer, Error>, Bad> {
    Ok(match verb {
        "read" => {
            let (offset, length) = span(&mut words)?;
            let mut bytes = vec![0xee; length as usize];
            windows.read_exact_at(offset, &mut bytes).map(|()| Answer::Bytes(bytes))
        }
        "number" => {
            let offset = words.number("an offset")?;
            words.end()?;
            windows.u64_le_at(offset).map(Answer::Number)
        }
        "get" => {
            let (offset, length) = span(&mut words)?;
            windows.get(offset, length as usize).and_then(|piece| {
                let mut bytes = vec![0xee; piece.len()];
                piece.read_exact_at(0, &mut bytes)?;
                Ok(Answer::Bytes(bytes))
            })
        }
        "slid" => {
            words.end()?;
            Ok(Answer::Numbers(windows.count() as u64, windows.copies()))
        }
        other => return Err(Bad(format!("sliding windows have no {other:?}"))),
    })
}

fn store(window: &mut Window, offset: u64, data: &[u8]) -> Result<(), Bad> {
    let end = offset.checked_add(data.len() as u64);
    if end.is_none_or(|end| end > window.len() as u64) {
        return Err(Bad("it is shorter".into()));
    }
    // SAFETY: inside the window, of which nobody has a slice.
    unsafe { window.as_mut_ptr().add(offset as usize).copy_from(data.as_ptr(), data.len()) };
    Ok(())
}

/// Opens windows one after the other, and uses the memory for other things in between.
fn churn(mapping: &Mapping, count: u64) -> Result<Answer, Error> {
    let length = mapping.len()?;
    let mut sum = 0;
    for round in 0..count {
        let mut window = mapping.window(round % length..length)?;
        sum += u64::from(window.u8_at(0)?);
        // SAFETY: the window has at least a byte, and nobody has a slice of it.
        unsafe { window.as_mut_ptr().write(0xee) };
        drop(window);
        let other = std::hint::black_box(vec![0u8; length as usize]);
        sum += other.iter().map(|byte| u64::from(*byte)).sum::<u64>();
    }
    Ok(Answer::Number(sum))
}
