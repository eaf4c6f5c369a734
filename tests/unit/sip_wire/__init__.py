"""Tests of the SIP codec."""
