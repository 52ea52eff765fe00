//! The `ostree container` program: ostree-ext is a library and leaves the main function to others.

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    ostree_ext::cli::run_from_iter(std::env::args_os()).await
}
