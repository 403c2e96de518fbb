//! The messages of `grpc.testing`, as far as the interoperability cases use them, and the service that answers them.
//! <https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md>

pub mod cases;
pub mod messages;
pub mod service;
