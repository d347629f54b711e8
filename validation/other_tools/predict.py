"""Predictions of one method of another tool: python predict.py METHOD inputs.npz outputs.npz; run in its environment.

The inputs are the axes x, y (m) and the field of the radar (mm), the places (m) and amounts of the gauges, and one or
more numbers of folds for each gauge. Each fold is predicted from the gauges of the others with the tool's own
defaults, at the cell of the radar in which the gauge lies. The outputs are written after each fold, so that those of
a call that was ended for its time are kept.
"""

import sys
import time
from pathlib import Path

import numpy as np

LEAST = 0.1
"""Amount of gauge and radar from which wradlib's ratios are taken, mm."""


def wradlib(name, data, used, held):
    """Gauge adjustment of wradlib: radar at the gauge is the median of nine cells, distances weigh four gauges.

    Ratios need a least amount: with the default of none, where a radar has 0, most places get no value at all.
    """
    import wradlib

    x, y = np.meshgrid(data["x"], data["y"])
    field = data["radar"].ravel()
    seen = np.isfinite(field)
    cells = np.column_stack([x.ravel()[seen], y.ravel()[seen]])
    places = np.column_stack([data["gauge_x"], data["gauge_y"]])
    options = {} if name == "AdjustAdd" else {"minval": LEAST}
    adjust = getattr(wradlib.adjust, name)(places[used], cells, **options)
    amount = np.full(field.size, np.nan)
    amount[seen] = adjust(data["amount"][used], field[seen])
    row, column = cell_of(data, held)
    return amount.reshape(x.shape)[row, column]


def kriging(fitted, data, used, held):
    """Kriging of mergeplg with the radar as external drift, in the cells of gauges alone: each is solved for itself."""
    from mergeplg.merge import MergeKrigingExternalDrift

    row, column = (np.concatenate(both) for both in zip(cell_of(data, used), cell_of(data, held), strict=True))
    cells, number = np.unique(np.column_stack([row, column]), axis=0, return_inverse=True)
    number = np.ravel(number)
    y, x = data["y"][cells[:, 0]], data["x"][cells[:, 1]]
    radar = array(data, data["radar"][cells[:, 0], cells[:, 1]][None], y, x)
    options = {"variogram_parameters": variogram(data, used)} if fitted else {}
    gauges = stations(data, used)
    merge = MergeKrigingExternalDrift(ds_rad=radar, ds_gauges=gauges, **options)
    amount = merge(radar, da_gauges=gauges)["rainfall"].values.ravel()
    return amount[number[used.sum() :]]


def variogram(data, used):
    """Spherical variogram of what the gauges have beyond the radar times a factor, by pykrige."""
    from pykrige.ok import OrdinaryKriging

    row, column = cell_of(data, used)
    there, amount = data["radar"][row, column], data["amount"][used]
    wet = (there > 0.0) & np.isfinite(amount)
    slope, start = np.polyfit(there[wet], amount[wet], 1)
    rest = amount[wet] - slope * there[wet] - start
    one = OrdinaryKriging(data["gauge_x"][used][wet], data["gauge_y"][used][wet], rest, variogram_model="spherical")
    partial, reach, nugget = one.variogram_model_parameters
    return {"sill": float(partial + nugget), "range": float(reach), "nugget": float(nugget)}


def radolan(data, used, held):
    """RADOLAN-RW as mergeplg has it; the first of its audit stations, else drawn at random, is always the same."""
    from mergeplg.merge import MergeRADOLAN

    x, y = np.meshgrid(data["x"], data["y"])
    radar = array(data, data["radar"], y, x)
    gauges = stations(data, used)
    merge = MergeRADOLAN(ds_rad=radar, ds_gauges=gauges)
    amount = merge(radar, da_gauges=gauges, start_index_in_relevant_stations=0)["rainfall"].values
    row, column = cell_of(data, held)
    return amount[row, column]


def array(data, field, y, x):
    """A field as mergeplg wants it, with 2-dimensional coordinates of its cells, (y, x)."""
    import xarray as xr

    y, x = np.broadcast_to(y, field.shape), np.broadcast_to(x, field.shape)
    whole = field.shape == data["radar"].shape
    axes = (data["y"], data["x"]) if whole else (np.arange(field.shape[0]), np.arange(field.shape[1]))
    coordinates = {"y": axes[0], "x": axes[1], "y_grid": (("y", "x"), y), "x_grid": (("y", "x"), x)}
    coordinates |= {"lat": (("y", "x"), y), "lon": (("y", "x"), x)}  # asked for, but not used beside x and y
    return xr.DataArray(field, coordinates | {"time": np.datetime64("2021-08-23T09:50", "ns")}, ("y", "x"))


def stations(data, used):
    """Gauges as mergeplg wants them."""
    import xarray as xr

    names = np.array([f"g{number}" for number in np.flatnonzero(used)])
    x, y = (("id", data[name][used]) for name in ("gauge_x", "gauge_y"))
    coordinates = {"id": names, "x": x, "y": y, "lon": x, "lat": y}
    return xr.DataArray(
        data["amount"][used], coordinates | {"time": np.datetime64("2021-08-23T09:50", "ns")}, ("id",), name="R"
    )


def cell_of(data, chosen):
    """Row and column of the cells of gauges."""
    found = []
    for axis, places in (("y", "gauge_y"), ("x", "gauge_x")):
        steps = (data[places][chosen] - data[axis][0]) / (data[axis][1] - data[axis][0])
        found.append(np.rint(steps).astype(int))
    return found[0], found[1]


def predict(method, data, used, held):
    """Amounts at the gauges that are held back."""
    if method.startswith("Adjust"):
        return wradlib(method, data, used, held)
    if method == "radolan":
        return radolan(data, used, held)
    return kriging(method == "kriging-fitted", data, used, held)


def main():
    """Predict every fold and write what there is after each."""
    method, inputs, outputs = sys.argv[1:4]
    with np.load(inputs) as held_file:
        data = {name: held_file[name] for name in held_file.files}
    kinds = [name for name in data if name.startswith("fold ")]
    found = {name: np.full(data["amount"].size, np.nan) for name in kinds}
    seconds = {}
    for name in kinds:
        start = time.process_time()
        for number in np.unique(data[name]):
            held = data[name] == number
            found[name][held] = predict(method, data, ~held, held)
            seconds[f"seconds {name}"] = time.process_time() - start
            np.savez(outputs + ".part.npz", **found, **seconds)
            Path(outputs + ".part.npz").replace(outputs)
            print(method, name, int(number), f"{time.process_time() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
