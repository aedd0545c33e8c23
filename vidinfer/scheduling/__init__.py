"""Batching across live streams: pure state machines, told what happens and when."""

from vidinfer.scheduling.arrivals import Activity, Arrivals
from vidinfer.scheduling.policies import Filling, LookAhead, Policy, Situation, Verdict, Window
from vidinfer.scheduling.rivals import Eager, Rounds
from vidinfer.scheduling.scheduler import Scheduler
from vidinfer.scheduling.service_times import ServiceTimes
from vidinfer.scheduling.settings import POLICIES, Settings
from vidinfer.scheduling.shedding import Limits, Shedding
from vidinfer.scheduling.ticket import QUEUE_FULL, STALE, Decision, Dispatch, Ticket

__all__ = [
    "POLICIES",
    "QUEUE_FULL",
    "STALE",
    "Activity",
    "Arrivals",
    "Decision",
    "Dispatch",
    "Eager",
    "Filling",
    "Limits",
    "LookAhead",
    "Policy",
    "Rounds",
    "Scheduler",
    "ServiceTimes",
    "Settings",
    "Shedding",
    "Situation",
    "Ticket",
    "Verdict",
    "Window",
]
