"""Messages of agents: conversion between wire and domain, checks, bounds and rate limits. Nothing
here knows a stream."""
