//! The activities that workflows call: names, inputs and outputs. The crate `activities` implements them.

macro_rules! activity {
    ($(#[$doc:meta])* $name:ident = $wire:literal, $input:ty => $output:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl temporalio_workflow::common::ActivityDefinition for $name {
            type Input = $input;
            type Output = $output;

            fn name(&self) -> &str {
                $wire
            }
        }
    };
}

pub mod calls;
pub mod planning;
