//! The activities that workflows need: name, input and output. Implemented elsewhere.

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
