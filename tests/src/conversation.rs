//! A program that answers the lines of its standard input, one by one.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::thread;

use crate::command_line::said;

/// A program that runs, and waits for the next line.
pub struct Conversation {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Conversation {
    /// Starts it.
    pub fn start(mut command: Command) -> Conversation {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("a program");
        let questions = child.stdin.take().expect("piped");
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        Conversation { child, questions, answers }
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a line, and waits for one: the answer, or nothing from a program that has ended.
    pub fn ask(&mut self, question: &str) -> String {
        // Of one that has ended, what it said tells more than a broken pipe.
        _ = writeln!(self.questions, "{question}");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("UTF-8");
        answer
    }

    /// Sends lines and reads no answers, until the program has ended. Its exit code, and what it said on
    /// standard error.
    pub fn ask_in_vain(self) -> (i32, String) {
        let Conversation { child, mut questions, answers } = self;
        let asking = thread::spawn(move || while questions.write_all(b"\n").is_ok() {});
        let (code, _, err) = said(&child.wait_with_output().expect("its end"));
        drop(answers);
        asking.join().expect("nobody reads");
        (code, err)
    }

    /// There are no more lines: waits for the program's end. Its exit code, what else it answered, and
    /// what it said on standard error.
    pub fn finish(self) -> (i32, String, String) {
        let Conversation { child, questions, mut answers } = self;
        drop(questions);
        let mut stdout = Vec::new();
        answers.read_to_end(&mut stdout).expect("its output");
        said(&Output { stdout, ..child.wait_with_output().expect("its end") })
    }
}
