"""What every loop stands on: clock, ids, batches, supervision, telemetry."""
