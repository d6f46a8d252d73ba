def test_the_clock_of_a_row_is_that_of_its_price_record() -> None:
    """With records four minutes old at every grid point, the place within the hour is four minutes back as well."""
    ts = START_MS // 3_600_000 * 3_600_000 + 60_000 + GRID_STEP_MS * np.arange(30)
    grid = FeatureGrid(2)
    grid.observe("coin", ts, np.linspace(10, 11, 30))
    blocks = list(grid.extend(int(ts[-1])))
    row = blocks[-1].x[-1, 0]
    place = int(ts[-2] // GRID_STEP_MS) % 12
    hats = row[-12:]
    assert hats[place] == pytest.approx(0.8)
    assert hats[(place + 1) % 12] == pytest.approx(0.2)
    assert hats.sum() == pytest.approx(1.0)
