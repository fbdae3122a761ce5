//! What goes wrong around the program: disks that fill up, break or forget, kills, clocks that jump, upstreams that lie.
//! Nothing that a client got to its end is ever wrong, nothing half is kept, and when the trouble is over all is as before.

mod bed;
mod chaos;
mod clock;
mod program;
mod store;
