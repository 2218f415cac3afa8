//! Looks at one file through windows while others cut it, by loads and stores, and checks every byte
//! that it sees: it is one that may stand there, or a page was lost and the guest is told. What may
//! stand there is in `tests/pattern`.

mod bindings {
    #![allow(missing_docs, unreachable_pub)] // generated
    wit_bindgen::generate!({ path: "wit", world: "iommap:test/onlooker" });
}

mod looker;
mod pane;

use bindings::{Job, Report};
use looker::Looker;
use std::cell::RefCell;

thread_local! {
    /// The one of the last job, with its windows.
    static LOOKER: RefCell<Option<Looker>> = const { RefCell::new(None) };
}

struct Guest;

bindings::export!(Guest with_types_in bindings);

impl bindings::Guest for Guest {
    fn run(job: Job) -> Report {
        let mut looker = Looker::new(job);
        looker.run();
        let report = looker.take_report();
        LOOKER.set(Some(looker));
        report
    }

    fn look() -> Report {
        LOOKER.with_borrow_mut(|looker| {
            let looker = looker.as_mut().expect("a job was done");
            looker.look();
            looker.take_report()
        })
    }
}
