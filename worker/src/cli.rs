//! The command line: the worker itself without a subcommand, or one of its tools.

use clap::{ArgMatches, Command, CommandFactory, FromArgMatches, Parser, Subcommand as _};

use crate::config::Config;
use crate::tools::Tool;

#[derive(Debug)]
pub enum Cli {
    Worker(Box<Config>),
    Tool(Box<Tool>),
}

// Not derived: the derive requires the worker's settings for the tools as well.
impl CommandFactory for Cli {
    fn command() -> Command {
        Tool::augment_subcommands(Config::command())
            .args_conflicts_with_subcommands(true)
            .subcommand_negates_reqs(true)
    }

    fn command_for_update() -> Command {
        Self::command()
    }
}

impl FromArgMatches for Cli {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        match matches.subcommand_name() {
            None => Config::from_arg_matches(matches).map(|config| Self::Worker(Box::new(config))),
            Some(_) => Tool::from_arg_matches(matches).map(|tool| Self::Tool(Box::new(tool))),
        }
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Parser for Cli {}

#[cfg(test)]
mod tests {
    use super::*;

    const DATABASE: &str = "--database-url=postgres://u@h/d";

    #[test]
    fn tools_need_no_settings_of_the_worker() {
        Cli::command().debug_assert();
        for args in [
            &["plan", "--dry-run"][..],
            &["explain", "p1-id"],
            &["why", "p1-id"],
            &["import", "prospects.csv", "--user", "user1-id"],
        ] {
            let args = ["worker"].iter().chain(args).chain(&[DATABASE]);
            assert!(matches!(Cli::try_parse_from(args), Ok(Cli::Tool(_))));
        }
        let replay = ["worker", "replay", "--query", "ExecutionStatus=\"Running\""];
        assert!(matches!(Cli::try_parse_from(replay), Ok(Cli::Tool(_))));
    }

    #[test]
    fn settings_of_the_worker_are_required_without_a_tool() {
        let args = [
            "worker",
            DATABASE,
            "--ultravox-api-key=abcdefgh.abcdefghabcdefghabcdefghabcdefgh",
            "--telnyx-from-number=+12125550100",
            "--service-url=https://calls.example.com",
            "--webhook-secrets=0123456789abcdef",
        ];
        assert!(matches!(Cli::try_parse_from(args), Ok(Cli::Worker(_))));
        let mixed = ["worker", "--service-url=https://calls.example.com", "plan", DATABASE];
        assert!(Cli::try_parse_from(mixed).is_err());
    }
}
