"""What published forecasts answer: probabilities of a level, regimes, joint scenarios. Pure functions of arrays."""
