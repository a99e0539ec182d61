//! One process that keeps the containers of a zone on this machine alive: starts, watches, restarts and drains them,
//! takes what they print, and keeps the zone's history.
//!
//! It is a member of its zone like any node, with the role of a supervisor; what it is asked and what it answers are
//! control requests ([`service`]). Its containers are processes of any program: each holds the reading end of a pipe
//! whose other end only the supervisor has, so that they notice when it dies.

pub mod capture;
pub mod container;
pub mod files;
pub mod history;
pub mod journal;
pub mod keeper;
pub mod line;
pub mod lines;
pub mod member;
mod past;
pub mod plan;
pub mod pull;
pub mod records;
pub mod restart;
pub mod service;
pub mod status;
pub mod steps;
pub mod supervisor;
