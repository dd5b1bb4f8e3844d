//! Settings by environment and flags, and what is said of a bad one: one line that names it and
//! tells what it should look like. The value itself, which may be a secret, is not repeated.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, Parser};

/// Why there are no settings.
#[derive(Debug)]
pub enum NoSettings {
    /// The user asked for help or for the version, which is this text.
    Asked(String),
    /// A setting is missing or malformed, as one line.
    Wrong(String),
}

impl NoSettings {
    /// Tells the user.
    pub fn print(&self) -> ExitCode {
        match self {
            Self::Asked(text) => {
                print!("{text}");
                ExitCode::SUCCESS
            }
            Self::Wrong(line) => {
                eprintln!("error: {line}");
                ExitCode::from(2)
            }
        }
    }
}

/// Reads settings from arguments and environment.
pub fn read<S: Parser>(args: impl IntoIterator<Item = OsString>) -> Result<S, NoSettings> {
    S::try_parse_from(args).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            NoSettings::Asked(error.render().to_string())
        }
        _ => NoSettings::Wrong(line(&error, &S::command())),
    })
}

fn line(error: &clap::Error, command: &Command) -> String {
    let arg = |context: ContextKind| -> Option<&Arg> {
        let named = match error.get(context)? {
            ContextValue::String(text) => text.clone(),
            ContextValue::Strings(texts) => texts.first()?.clone(),
            _ => return None,
        };
        let long = named.trim_start_matches("--").split([' ', '=']).next()?.to_owned();
        command.get_arguments().find(|arg| arg.get_long() == Some(long.as_str()))
    };
    match (error.kind(), arg(ContextKind::InvalidArg)) {
        (ErrorKind::MissingRequiredArgument, Some(arg)) => {
            format!("{} is missing; set it to: {}", name(arg), help(arg))
        }
        (ErrorKind::InvalidValue | ErrorKind::ValueValidation, Some(arg)) => {
            let why = std::error::Error::source(error).map(ToString::to_string);
            let why = why.or_else(|| allowed(error)).unwrap_or_else(|| help(arg));
            format!("{} can't be used: {why}", name(arg))
        }
        _ => {
            let text = error.render().to_string();
            let first = text.lines().next().unwrap_or("the arguments can't be read");
            format!("{}; see --help", first.trim_start_matches("error: "))
        }
    }
}

/// The name by which users set it most often.
fn name(arg: &Arg) -> String {
    match arg.get_env() {
        Some(env) => env.to_string_lossy().into_owned(),
        None => format!("--{}", arg.get_long().unwrap_or_default()),
    }
}

/// The values that may be given, where there are only a few.
fn allowed(error: &clap::Error) -> Option<String> {
    match error.get(ContextKind::ValidValue)? {
        ContextValue::Strings(values) => Some(format!("must be {}", values.join(" or "))),
        _ => None,
    }
}

fn help(arg: &Arg) -> String {
    arg.get_help().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Parser)]
    struct Example {
        /// PostgreSQL, as postgres://host/database
        #[arg(long, env = "EXAMPLE_DATABASE_URL", value_parser = |text: &str| match text {
            "good" => Ok(text.to_owned()),
            _ => Err("must be good"),
        })]
        database_url: String,
        /// A number
        #[arg(long, default_value_t = 5)]
        size: u32,
    }

    fn wrong(args: &[&str]) -> String {
        let args = ["example"].iter().chain(args).map(OsString::from);
        match read::<Example>(args) {
            Err(NoSettings::Wrong(line)) => line,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_missing_setting_is_named_with_what_it_should_look_like() {
        assert_eq!(
            wrong(&[]),
            "EXAMPLE_DATABASE_URL is missing; set it to: PostgreSQL, as postgres://host/database"
        );
    }

    #[test]
    fn a_malformed_setting_is_named_and_not_repeated() {
        assert_eq!(
            wrong(&["--database-url=hunter2"]),
            "EXAMPLE_DATABASE_URL can't be used: must be good"
        );
        let line = wrong(&["--database-url=good", "--size=hunter2"]);
        assert_eq!(line, "--size can't be used: invalid digit found in string");
        assert!(wrong(&["--database-url=good", "--speed"]).ends_with("; see --help"));
    }

    #[test]
    fn help_is_no_error() {
        let help = read::<Example>(["example", "--help"].map(OsString::from)).unwrap_err();
        assert!(matches!(help, NoSettings::Asked(text) if text.contains("EXAMPLE_DATABASE_URL")));
    }
}
