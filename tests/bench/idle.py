"""A daemon that has nothing to do: memory, CPU and wake-ups a second."""
import time

import measure
import world

SECONDS = 20


def run():
    table = measure.Table("idle", "resident, MiB", "CPU, ms a second", "wake-ups a second").head()
    for services in (1, 1000):
        made = world.World(services=services, SERIN_TICK_MS=1000, SERIN_SETTLE_MS=3000)  # the defaults
        time.sleep(3)
        cpu, woken = measure.cpu_s(made.pid), measure.wakeups(made.pid)
        time.sleep(SECONDS)
        table.add(f"{services:,} services", f"{measure.resident_kib(made.pid) / 1024:.0f}",
                  f"{(measure.cpu_s(made.pid) - cpu) / SECONDS * 1000:.1f}",
                  f"{(measure.wakeups(made.pid) - woken) / SECONDS:.0f}")
        made.stop()
