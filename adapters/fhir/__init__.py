"""FHIR R4, for health records that have an interface of their own."""

from adapters.fhir.adapter import FhirAdapter

__all__ = ["FhirAdapter"]
