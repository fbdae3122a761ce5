//! What a rule says beyond its requirements, and rules that change, through the whole program.

mod reload;
mod update;
