"""Spreadsheets: bulk referrals and lists in, row by row, and lists out."""

from adapters.spreadsheet.adapter import SpreadsheetAdapter

__all__ = ["SpreadsheetAdapter"]
