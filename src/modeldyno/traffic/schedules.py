"""The arrival processes by the name a workload gives them."""

from collections.abc import Mapping

from modeldyno.protocols import Schedule
from modeldyno.records.workload import ArrivalName
from modeldyno.traffic.constant import constant
from modeldyno.traffic.poisson import poisson

SCHEDULES: Mapping[ArrivalName, Schedule] = {"constant": constant, "poisson": poisson}
"""Name to arrival process."""
