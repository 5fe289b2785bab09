"""The starter app, `jobcast.starter:app`: what `jobcast dev` runs where no app is named.

Every type does real work where the means are there, and each is an example to copy.
"""

from typing import Final

from jobcast import App
from jobcast.starter.email import send_email
from jobcast.starter.http import http_request
from jobcast.starter.images import resize_image
from jobcast.starter.report import generate_report
from jobcast.starter.simple import echo, sleep, stream_text
from jobcast.starter.tables import data_processing

__all__ = ["app"]

app: Final = App()

app.job("send-email", timeout=120)(send_email)
app.job("email", timeout=120)(send_email)
app.job("generate-report", timeout=300)(generate_report)
app.job("resize-image", timeout=120)(resize_image)
app.job("http-request", timeout=60)(http_request)
app.job("webhook", timeout=60)(http_request)
app.job("data_processing", timeout=300)(data_processing)
app.job("sleep", timeout=3700)(sleep)
app.job("stream-text", timeout=3600)(stream_text)
app.job("*")(echo)
