//! What is generated from WIT, and nothing else.

/// The part of WASI that the standard library does not reach yet: its `exit` knows only success
/// and failure, and a search that found nothing is neither.
pub(crate) mod wasi {
    #![allow(missing_docs, unreachable_pub)] // generated
    wit_bindgen::generate!({
        inline: "
            package wasi:cli@0.2.12;
            interface exit {
                exit: func(status: result);
                exit-with-code: func(status-code: u8);
            }
            world status { import exit; }
        ",
    });
}
