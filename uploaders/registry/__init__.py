"""Container registries: deletes the images of a platform that `bootimg upload --registry` has pushed."""

from bootimg.cloud.plugin import Uploader, Verb

from .retiring import plan_retirement

UPLOADER = Uploader(
    name="registry",
    summary="Container registries: retires what `upload --registry` pushed",
    extra="",
    settings={
        "authfile": "the file with the login, as skopeo has it",
        "cert_dir": "the folder with certificates, as skopeo has it",
        "tls_verify": "`false` for a registry without TLS, or with a certificate that nobody knows",
    },
    verbs={Verb.RETIRE: plan_retirement},
)
