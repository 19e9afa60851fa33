"""The fluid engine: rates in, goodput, queues and latencies out, a minute at a time."""
