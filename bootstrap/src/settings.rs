//! Settings from the environment and from flags.
//!
//! An error is one line that names the setting and describes a valid value. It does not repeat the invalid value, which
//! may be a secret.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, Parser};

/// Why there are no settings.
#[derive(Debug)]
pub enum SettingsError {
    /// Help or version, as a text for standard output.
    HelpRequested(String),
    /// A setting is missing or invalid, as one line.
    Invalid(String),
}

impl SettingsError {
    /// Prints the text and returns the exit code.
    pub fn print(&self) -> ExitCode {
        match self {
            Self::HelpRequested(text) => {
                print!("{text}");
                ExitCode::SUCCESS
            }
            Self::Invalid(line) => {
                eprintln!("error: {line}");
                ExitCode::from(2)
            }
        }
    }
}

pub fn read_settings<S: Parser>(
    args: impl IntoIterator<Item = OsString>,
) -> Result<S, SettingsError> {
    S::try_parse_from(args).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            SettingsError::HelpRequested(error.render().to_string())
        }
        _ => SettingsError::Invalid(describe_error(&error, &S::command())),
    })
}

fn describe_error(error: &clap::Error, command: &Command) -> String {
    let arg = |context: ContextKind| -> Option<&Arg> {
        let name = match error.get(context)? {
            ContextValue::String(text) => text.clone(),
            ContextValue::Strings(texts) => texts.first()?.clone(),
            _ => return None,
        };
        let long = name.trim_start_matches("--").split([' ', '=']).next()?.to_owned();
        command.get_arguments().find(|arg| arg.get_long() == Some(long.as_str()))
    };
    match (error.kind(), arg(ContextKind::InvalidArg)) {
        (ErrorKind::MissingRequiredArgument, Some(arg)) => {
            format!("{} is missing; set it to: {}", name(arg), help(arg))
        }
        (ErrorKind::InvalidValue | ErrorKind::ValueValidation, Some(arg)) => {
            let reason = std::error::Error::source(error).map(ToString::to_string);
            let reason = reason.or_else(|| valid_values(error)).unwrap_or_else(|| help(arg));
            format!("{} can't be used: {reason}", name(arg))
        }
        _ => {
            let text = error.render().to_string();
            let first = text.lines().next().unwrap_or("the arguments can't be parsed");
            format!("{}; see --help", first.trim_start_matches("error: "))
        }
    }
}

/// The environment variable of a setting, or its flag.
fn name(arg: &Arg) -> String {
    match arg.get_env() {
        Some(env) => env.to_string_lossy().into_owned(),
        None => format!("--{}", arg.get_long().unwrap_or_default()),
    }
}

/// The valid values, if the setting is an enumeration.
fn valid_values(error: &clap::Error) -> Option<String> {
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

    fn error_of(args: &[&str]) -> String {
        let args = ["example"].iter().chain(args).map(OsString::from);
        match read_settings::<Example>(args) {
            Err(SettingsError::Invalid(line)) => line,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn missing_setting_is_named_with_its_help() {
        assert_eq!(
            error_of(&[]),
            "EXAMPLE_DATABASE_URL is missing; set it to: PostgreSQL, as postgres://host/database"
        );
    }

    #[test]
    fn invalid_setting_is_named_and_its_value_not_repeated() {
        assert_eq!(
            error_of(&["--database-url=hunter2"]),
            "EXAMPLE_DATABASE_URL can't be used: must be good"
        );
        let line = error_of(&["--database-url=good", "--size=hunter2"]);
        assert_eq!(line, "--size can't be used: invalid digit found in string");
        assert!(error_of(&["--database-url=good", "--speed"]).ends_with("; see --help"));
    }

    #[test]
    fn help_is_returned_as_text() {
        let help = read_settings::<Example>(["example", "--help"].map(OsString::from)).unwrap_err();
        assert!(
            matches!(help, SettingsError::HelpRequested(text) if text.contains("EXAMPLE_DATABASE_URL"))
        );
    }
}
