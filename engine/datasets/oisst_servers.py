"""The public servers of daily NOAA OISST, and how each is asked for the days of a year in a box.

ERDDAP's griddap form: https://coastwatch.pfeg.noaa.gov/erddap/griddap/documentation.html
THREDDS' NetCDF Subset Service:
https://docs.unidata.ucar.edu/tds/4.6/adminguide/reference/NetcdfSubsetServiceReference.html
"""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from engine.errors import RequestError


@dataclass(frozen=True)
class Subset:
    """Days of one year on the cells from one centre to another, in degrees as the server counts longitude.

    first, last: ISO dates; last is None for "up to the newest".
    """

    first: str
    last: str | None
    south: float
    north: float
    west: float
    east: float


@dataclass(frozen=True)
class Server:
    """Where daily OISST is served, and in which form it is asked for.

    west: the longitude that the server begins to count at; url: the address of a subset, from the server's own and it.
    """

    address: str
    west: float
    url: Callable[[str, Subset], str]

    @property
    def host(self) -> str:
        """Name of the machine, for messages and for the files that come from it."""
        return urlsplit(self.address).netloc


def erddap_url(address: str, subset: Subset) -> str:
    """A griddap request: `sst` with [(start):stride:(stop)] for each of time, zlev, latitude, longitude."""
    # A time beyond the newest day is an error; "last" is the newest.
    last = "last" if subset.last is None else f"{subset.last}T12:00:00Z"
    query = (
        f"sst[({subset.first}T12:00:00Z):1:({last})][(0.0):1:(0.0)]"
        f"[({subset.south}):1:({subset.north})][({subset.west}):1:({subset.east})]"
    )
    return f"{address}.nc?{quote(query, safe='():,-.')}"


def thredds_url(address: str, subset: Subset) -> str:
    """A NetCDF Subset Service request to the file of a year."""
    within = 0.1  # beyond the outermost centres but inside their cells: no rounding can lose or add a cell
    query = {
        "var": "sst",
        "north": f"{subset.north + within:.3f}",
        "south": f"{subset.south - within:.3f}",
        "west": f"{subset.west - within:.3f}",
        "east": f"{subset.east + within:.3f}",
        "horizStride": "1",
        "time_start": f"{subset.first}T00:00:00Z",
        "time_end": f"{subset.last or subset.first[:4] + '-12-31'}T23:59:59Z",
        "accept": "netcdf",
    }
    return f"{address}/sst.day.mean.{subset.first[:4]}.nc?{urlencode(query)}"


_ERDDAP_PATH = "/griddap/ncdcOisst21Agg_LonPM180"
_THREDDS_PATH = "/ncss/grid/Datasets/noaa.oisst.v2.highres"

SERVERS = {
    "coastwatch": Server(f"https://coastwatch.pfeg.noaa.gov/erddap{_ERDDAP_PATH}", -180.0, erddap_url),
    "psl": Server(f"https://psl.noaa.gov/thredds{_THREDDS_PATH}", 0.0, thredds_url),
}


def find_server(text: str | None) -> Server:
    """The named server, one of the same form elsewhere (`https://…/erddap` or `https://…/thredds`), or the first.

    Raises RequestError where the text is neither.
    """
    if text is None:
        return next(iter(SERVERS.values()))
    if text in SERVERS:
        return SERVERS[text]
    address = text.rstrip("/")
    parts = urlsplit(address)
    if parts.scheme in ("http", "https") and parts.netloc and not parts.query:
        if parts.path.endswith("/erddap"):
            return Server(address + _ERDDAP_PATH, -180.0, erddap_url)
        if parts.path.endswith("/thredds"):
            return Server(address + _THREDDS_PATH, 0.0, thredds_url)
    raise RequestError(
        f"The server is {text!r}; name {' or '.join(SERVERS)}, or an address that ends in /erddap or /thredds."
    )
