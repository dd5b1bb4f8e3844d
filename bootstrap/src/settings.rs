//! Settings from the environment and from flags.
//!
//! Values from the environment are trimmed, and an empty one is none: files of settings end their lines in various ways.
//! Everything that is wrong is named at once, one line each. A line names the setting and describes a valid value. It does not
//! repeat the invalid value, which may be a secret.

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command, Parser};

/// The shortest name for which a similar one counts as a misspelling.
const MIN_MISSPELT_LENGTH: usize = 8;
/// A misspelling has one changed letter for each so many.
const LETTERS_PER_MISTAKE: usize = 8;

/// Why there are no settings.
#[derive(Debug)]
pub enum SettingsError {
    /// Help or version, as a text for standard output.
    HelpRequested(String),
    /// Settings are missing or invalid: one line each.
    Invalid(Vec<String>),
}

impl SettingsError {
    /// Prints the text and returns the exit code.
    pub fn print(&self) -> ExitCode {
        match self {
            Self::HelpRequested(text) => {
                print!("{text}");
                ExitCode::SUCCESS
            }
            Self::Invalid(lines) => {
                lines.iter().for_each(|line| eprintln!("error: {line}"));
                ExitCode::from(2)
            }
        }
    }
}

/// Reads the settings of this process.
pub fn read_settings<S: Parser>() -> Result<S, SettingsError> {
    parse_settings(std::env::args_os().collect(), std::env::vars_os().collect())
}

/// Reads settings from arguments and from an environment. An argument wins.
pub fn parse_settings<S: Parser>(
    args: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
) -> Result<S, SettingsError> {
    let command = S::command();
    if let Err(error) = without_environment(command.clone()).try_get_matches_from(&args)
        && matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion)
    {
        // Rendered with the names of the variables.
        let help = command.try_get_matches_from(&args).err().unwrap_or(error);
        return Err(SettingsError::HelpRequested(help.render().to_string()));
    }
    let mut parse = Parse::new(command, args, &environment);
    loop {
        match parse.matches() {
            Ok(matches) if parse.problems.is_empty() => match S::from_arg_matches(&matches) {
                Ok(settings) => return Ok(settings),
                Err(error) => parse.problems.push(first_line(&error)),
            },
            Ok(_) => {}
            Err(error) => {
                if parse.add_problem(&error) {
                    continue;
                }
            }
        }
        return Err(SettingsError::Invalid(parse.problems));
    }
}

/// Settings that are being read: a command without variables, and its arguments.
struct Parse {
    command: Command,
    /// The variables by the ids of their settings.
    variables: Vec<(clap::Id, String)>,
    /// The names of the subcommand.
    subcommand: Option<String>,
    /// The program and the subcommand.
    head: Vec<OsString>,
    /// The arguments that stand for variables, by the ids of their settings.
    from_environment: Vec<(clap::Id, OsString)>,
    tail: Vec<OsString>,
    /// The settings that are known to be invalid.
    invalid: Vec<clap::Id>,
    problems: Vec<String>,
}

impl Parse {
    fn new(command: Command, args: Vec<OsString>, environment: &[(OsString, OsString)]) -> Self {
        let is_command = |arg: &OsString| {
            arg.to_str().and_then(|name| command.find_subcommand(name)).map(Command::get_name)
        };
        let found = args.iter().skip(1).position(|arg| is_command(arg).is_some()).map(|at| at + 1);
        let subcommand = found.and_then(|at| is_command(&args[at])).map(str::to_owned);
        let mut head = args;
        let tail = head.split_off(found.map_or(head.len().min(1), |at| at + 1));
        let mut parse = Self {
            command,
            variables: vec![],
            subcommand,
            head,
            from_environment: vec![],
            tail,
            invalid: vec![],
            problems: vec![],
        };
        let variable =
            |arg: &Arg| Some((arg.get_id().clone(), arg.get_env()?.to_string_lossy().into_owned()));
        parse.variables = parse.target().get_arguments().filter_map(variable).collect();
        parse.add_misspelt(environment);
        parse.take(environment);
        parse.command = without_environment(parse.command);
        parse
    }

    fn matches(&self) -> Result<clap::ArgMatches, clap::Error> {
        let from_environment = self.from_environment.iter().map(|(_, arg)| arg);
        let args = self.head.iter().chain(from_environment).chain(&self.tail);
        self.command.clone().try_get_matches_from(args)
    }

    /// The command whose settings are read.
    fn target(&self) -> &Command {
        let subcommand =
            self.subcommand.as_ref().and_then(|name| self.command.find_subcommand(name));
        subcommand.unwrap_or(&self.command)
    }

    /// Takes the settings that have no argument from the environment.
    fn take(&mut self, environment: &[(OsString, OsString)]) {
        let mut taken = Vec::new();
        let mut problems = Vec::new();
        for arg in self.target().get_arguments() {
            let (Some(variable), Some(long)) = (arg.get_env(), arg.get_long()) else { continue };
            let Some(value) = value_of(environment, variable) else { continue };
            let given = |given: &OsString| {
                let given = given.to_string_lossy();
                given.strip_prefix("--").is_some_and(|rest| {
                    rest == long
                        || rest.strip_prefix(long).is_some_and(|rest| rest.starts_with('='))
                })
            };
            if self.tail.iter().any(given) {
                continue;
            }
            let Some(value) = value.to_str().map(str::trim) else {
                problems.push(format!("{} can't be used: it is not text in UTF-8", self.name(arg)));
                continue;
            };
            match (arg.get_action(), value.to_ascii_lowercase().as_str()) {
                (ArgAction::SetTrue, "true" | "1" | "yes" | "on") => {
                    taken.push((arg.get_id().clone(), format!("--{long}").into()));
                }
                (ArgAction::SetTrue, "false" | "0" | "no" | "off") => {}
                (ArgAction::SetTrue, _) => {
                    problems
                        .push(format!("{} can't be used: must be true or false", self.name(arg)));
                }
                _ => taken.push((arg.get_id().clone(), format!("--{long}={value}").into())),
            }
        }
        self.from_environment = taken;
        self.problems.extend(problems);
    }

    /// Names variables that are no setting and differ in a few letters from one that is not set.
    fn add_misspelt(&mut self, environment: &[(OsString, OsString)]) {
        let known: Vec<&str> = self.variables.iter().map(|(_, name)| name.as_str()).collect();
        let mut problems = Vec::new();
        for (variable, _) in environment {
            let Some(variable) = variable.to_str().filter(|name| !known.contains(name)) else {
                continue;
            };
            let upper = variable.to_ascii_uppercase();
            let similar = known.iter().find(|known| {
                // `SSL_CERT_FILE`, for example, is a variable of OpenSSL.
                let begins_alike = known.split('_').next() == upper.split('_').next();
                let mistakes = strsim::damerau_levenshtein(known, &upper);
                known.len() >= MIN_MISSPELT_LENGTH
                    && begins_alike
                    && mistakes <= known.len() / LETTERS_PER_MISTAKE
                    && value_of(environment, OsStr::new(known)).is_none()
            });
            if let Some(similar) = similar {
                problems.push(format!("{variable} is no setting; did you mean {similar}?"));
            }
        }
        self.problems.extend(problems);
    }

    /// Adds what is wrong, and leaves an invalid value out so that the rest can be checked; returns whether there is a rest.
    /// Values are checked first, one after the other, and then all that is missing at once.
    fn add_problem(&mut self, error: &clap::Error) -> bool {
        let named = invalid_args(error);
        // Only a built command can show its arguments as the error does.
        let mut target = self.target().clone();
        target.build();
        let args: Vec<Arg> = target
            .get_arguments()
            .filter(|arg| named.iter().any(|name| *name == arg.to_string() || is_long(arg, name)))
            .cloned()
            .collect();
        if args.is_empty() {
            self.problems.push(first_line(error));
            return false;
        }
        let new = |arg: &Arg, invalid: &[clap::Id]| !invalid.contains(arg.get_id());
        let args: Vec<Arg> = args.into_iter().filter(|arg| new(arg, &self.invalid)).collect();
        let is_rest = error.kind() != ErrorKind::MissingRequiredArgument && !args.is_empty();
        for arg in args {
            let problem = match error.kind() {
                ErrorKind::MissingRequiredArgument => self.missing(&arg),
                ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
                    let reason = std::error::Error::source(error).map(ToString::to_string);
                    let reason = match reason.as_deref() {
                        Some("invalid digit found in string") => {
                            Some("must be a number".to_owned())
                        }
                        _ => reason.or_else(|| valid_values(error)),
                    };
                    let reason = reason.unwrap_or_else(|| help(&arg));
                    format!("{} can't be used: {reason}", self.name(&arg))
                }
                _ => {
                    self.problems.push(first_line(error));
                    return false;
                }
            };
            self.problems.push(problem);
            self.from_environment.retain(|(id, _)| id != arg.get_id());
            self.invalid.push(arg.get_id().clone());
        }
        is_rest
    }

    fn missing(&self, arg: &Arg) -> String {
        match arg.is_positional() {
            true => format!("the argument {arg} is missing: {}; see --help", help(arg)),
            false => format!("{} is missing; set it to: {}", self.name(arg), help(arg)),
        }
    }

    /// The environment variable of a setting, or its flag.
    fn name(&self, arg: &Arg) -> String {
        let variable = self.variables.iter().find(|(id, _)| id == arg.get_id());
        match (variable, arg.get_long()) {
            (Some((_, variable)), _) => variable.clone(),
            (None, Some(long)) => format!("--{long}"),
            (None, None) => arg.to_string(),
        }
    }
}

/// A command that reads no variables itself.
fn without_environment(command: Command) -> Command {
    let names: Vec<String> =
        command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    let command = command.mut_args(|arg| match arg.get_env() {
        Some(_) => arg.env(Resettable::Reset),
        None => arg,
    });
    names
        .into_iter()
        .fold(command, |command, name| command.mut_subcommand(name, without_environment))
}

/// The value of a variable, unless it is blank.
fn value_of<'e>(environment: &'e [(OsString, OsString)], name: &OsStr) -> Option<&'e OsStr> {
    let (_, value) = environment.iter().find(|(variable, _)| variable == name)?;
    (!value.to_string_lossy().trim().is_empty()).then_some(value.as_os_str())
}

/// The arguments that an error names, as clap writes them: `--batch-size <BATCH_SIZE>`.
fn invalid_args(error: &clap::Error) -> Vec<String> {
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    }
}

fn is_long(arg: &Arg, name: &str) -> bool {
    let long = name.strip_prefix("--").and_then(|name| name.split([' ', '=']).next());
    long.is_some() && arg.get_long() == long
}

/// What is wrong, in clap's words, with its suggestion.
fn first_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let first = text.lines().next().unwrap_or("the arguments can't be parsed");
    let suggested = [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand]
        .into_iter()
        .find_map(|kind| error.get(kind));
    let hint = match suggested {
        Some(ContextValue::String(text)) => format!("; did you mean {text}?"),
        Some(ContextValue::Strings(texts)) if !texts.is_empty() => {
            format!("; did you mean {}?", texts.join(" or "))
        }
        _ => "; see --help".to_owned(),
    };
    format!("{}{hint}", first.trim_start_matches("error: ").trim_end_matches(':'))
}

/// The valid values, if the setting is an enumeration.
fn valid_values(error: &clap::Error) -> Option<String> {
    match error.get(ContextKind::ValidValue)? {
        ContextValue::Strings(values) if !values.is_empty() => {
            Some(format!("must be {}", values.join(" or ")))
        }
        _ => None,
    }
}

fn help(arg: &Arg) -> String {
    arg.get_help().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An example
    #[derive(Debug, Parser)]
    #[command(subcommand_negates_reqs = true)]
    struct Example {
        /// PostgreSQL, as postgres://host/database
        #[arg(long, env = "EXAMPLE_DATABASE_URL", value_parser = |text: &str| match text {
            "good" => Ok(text.to_owned()),
            _ => Err("must be good"),
        })]
        database_url: String,
        /// A number
        #[arg(long, env = "EXAMPLE_SIZE", default_value_t = 5)]
        size: u32,
        /// A folder
        #[arg(long, env = "EXAMPLE_FOLDER")]
        folder: Option<std::path::PathBuf>,
        /// Names
        #[arg(long, env = "EXAMPLE_NAMES", value_delimiter = ',')]
        names: Vec<String>,
        #[arg(long, env = "EXAMPLE_STRICT")]
        strict: bool,
        /// What to do
        #[command(subcommand)]
        tool: Option<Tool>,
    }

    #[derive(Debug, clap::Subcommand)]
    enum Tool {
        Explain {
            /// The id of the prospect
            prospect: String,
        },
    }

    fn parse(args: &[&str], environment: &[(&str, &str)]) -> Result<Example, SettingsError> {
        let args = ["example"].iter().chain(args).map(OsString::from).collect();
        let environment = environment.iter().map(|(name, value)| (name.into(), value.into()));
        parse_settings(args, environment.collect())
    }

    fn errors(args: &[&str], environment: &[(&str, &str)]) -> Vec<String> {
        match parse(args, environment) {
            Err(SettingsError::Invalid(lines)) => lines,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn variables_are_trimmed_and_blank_ones_are_none() {
        let environment = [
            ("EXAMPLE_DATABASE_URL", " good\r\n"),
            ("EXAMPLE_SIZE", "\t7 "),
            ("EXAMPLE_FOLDER", " \n"),
            ("EXAMPLE_NAMES", "a,b"),
            ("EXAMPLE_STRICT", "TRUE\n"),
        ];
        let settings = parse(&[], &environment).unwrap();
        assert_eq!((settings.database_url.as_str(), settings.size), ("good", 7));
        assert_eq!((settings.folder, settings.strict), (None, true));
        assert_eq!(settings.names, ["a", "b"]);
        let settings = parse(&["--size=9"], &environment).unwrap();
        assert_eq!(settings.size, 9);
    }

    #[test]
    fn everything_that_is_wrong_is_named_at_once_and_no_value_is_repeated() {
        let environment = [
            ("EXAMPLE_DATABASE_URL", "hunter2"),
            ("EXAMPLE_SIZE", "hunter2"),
            ("EXAMPLE_STRICT", "hunter2"),
            ("EXAMPLE_FOLDERS", "hunter2"),
            ("EXAMPLES_FOLDER", "hunter2"),
            ("EXAMPLE_FOLLOWERS", "hunter2"),
        ];
        let mut found = errors(&[], &environment);
        found.sort();
        assert_eq!(
            found,
            [
                "EXAMPLE_DATABASE_URL can't be used: must be good",
                "EXAMPLE_FOLDERS is no setting; did you mean EXAMPLE_FOLDER?",
                "EXAMPLE_SIZE can't be used: must be a number",
                "EXAMPLE_STRICT can't be used: must be true or false",
            ]
        );
        assert_eq!(errors(&["--size=x"], &[]), ["EXAMPLE_SIZE can't be used: must be a number"]);
        let missing =
            "EXAMPLE_DATABASE_URL is missing; set it to: PostgreSQL, as postgres://host/database";
        assert_eq!(errors(&[], &[("EXAMPLE_DATABASE_URL", " ")]), [missing]);
        assert!(errors(&["--speed"], &[])[0].contains("--speed"));
        assert_eq!(
            errors(&["--sizes=1"], &[])[0],
            "unexpected argument '--sizes' found; did you mean --size?"
        );
    }

    #[test]
    fn missing_argument_of_a_tool_is_named() {
        let environment = [("EXAMPLE_DATABASE_URL", "good")];
        assert_eq!(
            errors(&["explain"], &environment),
            ["the argument <PROSPECT> is missing: The id of the prospect; see --help"]
        );
    }

    #[test]
    fn help_is_returned_as_text() {
        let help = parse(&["--help"], &[("EXAMPLE_SIZE", "x")]).unwrap_err();
        assert!(
            matches!(help, SettingsError::HelpRequested(text) if text.contains("EXAMPLE_DATABASE_URL"))
        );
    }
}
