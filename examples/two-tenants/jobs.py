"""The worker's part: statements, which take a moment of computing each."""

import gzip
import io
import random
from csv import writer
from dataclasses import dataclass

import jobcast

app = jobcast.App()

LINES = 16_000


@dataclass
class Statement:
    month: str
    number: int


# Two at a time over all workers, as it keeps a core busy. Tenants take turns at who is next.
@app.job("statement", max_running=2)
def statement(ctx: jobcast.SyncContext, wanted: Statement) -> dict[str, float | str]:
    """A statement of one account, as a compressed CSV file. A plain `def` runs in a thread."""
    bookings = random.Random(f"{ctx.job.tenant_id} {wanted.month} {wanted.number}")
    balance, text = 0.0, io.StringIO()
    lines = writer(text)
    for line in range(1, LINES + 1):
        amount = round(bookings.uniform(-100, 101), 2)
        balance += amount
        lines.writerow([wanted.month, line, amount, round(balance, 2)])
    data = gzip.compress(text.getvalue().encode())
    url = ctx.save(f"{wanted.month}-{wanted.number}.csv.gz", data, "application/gzip")
    return {"url": url, "balance": round(balance, 2)}
