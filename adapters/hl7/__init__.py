"""HL7 v2 over MLLP, for hospital systems that only have that."""

from adapters.hl7.adapter import Hl7Adapter

__all__ = ["Hl7Adapter"]
