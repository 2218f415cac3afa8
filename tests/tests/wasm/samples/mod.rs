//! The sample guests that are programs people use, run as people start them.

mod geoip;
mod kv;
mod maxminddb;
