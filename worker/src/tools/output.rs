//! Standard output of the tools.

use std::io::{self, Write as _};

/// Writes a line. Unlike `println!` it does not panic if nobody reads.
pub(super) fn print_line(line: impl std::fmt::Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}

/// Whether an error means that nobody reads the output any more, as after `| head -1`.
pub(super) fn is_closed(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<io::Error>();
    cause.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
