//! The monitor's heart, event by event.
