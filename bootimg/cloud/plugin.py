"""The plugin API of uploaders: all of bootimg that an uploader may import."""

from __future__ import annotations

from bootimg.cloud.answers import AnswerError as AnswerError
from bootimg.cloud.answers import bucket_missing as bucket_missing
from bootimg.cloud.answers import credentials_missing as credentials_missing
from bootimg.cloud.answers import credentials_refused as credentials_refused
from bootimg.cloud.answers import permission_missing as permission_missing
from bootimg.cloud.answers import request_failed as request_failed
from bootimg.cloud.calls import Call as Call
from bootimg.cloud.content import Content as Content
from bootimg.cloud.content import Part as Part
from bootimg.cloud.content import even_parts as even_parts
from bootimg.cloud.content import used_parts as used_parts
from bootimg.cloud.multipart import PartStore as PartStore
from bootimg.cloud.multipart import send_file as send_file
from bootimg.cloud.parts import send_parts as send_parts
from bootimg.cloud.parts import unsent as unsent
from bootimg.cloud.retry import TransientError as TransientError
from bootimg.cloud.retry import wait_of as wait_of
from bootimg.cloud.session import Session as Session
from bootimg.cloud.settings import Settings as Settings
from bootimg.cloud.task import Done as Done
from bootimg.cloud.task import Entry as Entry
from bootimg.cloud.task import Means as Means
from bootimg.cloud.task import PlaceJob as PlaceJob
from bootimg.cloud.task import Task as Task
from bootimg.cloud.task import Uploader as Uploader
from bootimg.cloud.task import sdk_missing as sdk_missing
from bootimg.cloud.verbs import Verb as Verb
from bootimg.disk.extents import Source as Source
from bootimg.errors import BootimgError as BootimgError
from bootimg.errors import ExitCode as ExitCode
from bootimg.events import Step as Step
from bootimg.sizes import GIB as GIB
from bootimg.sizes import KIB as KIB
from bootimg.sizes import MIB as MIB
from bootimg.sizes import format_size as format_size
from bootimg.untrusted.sdkanswers import bound_botocore as bound_botocore
from bootimg.untrusted.sdkanswers import bound_requests as bound_requests
from bootimg.untrusted.sdkanswers import few_pages as few_pages
