"""Inference requests of the Open Inference Protocol v2 (HTTP) out of bytes, checked against a model's signature.

Sources: the protocol's `inference_rest.md`, and `extension_binary_data.md` for binary tensors and raw requests.
"""

import re

from modeldyno.records.signature import Signature
from modeldyno.wire.errors import WireError
from modeldyno.wire.number_arrays import cut_arrays
from modeldyno.wire.v2_layout import Layout, LayoutReader
from modeldyno.wire.v2_request import InferRequest
from modeldyno.wire.v2_tensors import Buffer, decode_binary, decode_json

_KNOWN_LAYOUTS = 256
_KNOWN_HEADER_BYTES = 4096
_LEADING_ID = re.compile(rb'\{[ \t\r\n]*"id"[ \t\r\n]*:[ \t\r\n]*"([ !#-\[\]-~]*)"[ \t\r\n]*,')
"""An `id` of plain ASCII without escapes, which is the first member and has another one after it."""


class InferRequestDecoder:
    """Decodes the requests for one model.

    Clients repeat the JSON of a request to the byte, but for the id and the numbers, so what was found in it is
    remembered (a bounded number of them). An id is seen apart when the JSON begins with it, as tritonclient's does.
    """

    def __init__(self, signature: Signature) -> None:
        layouts = LayoutReader(signature)
        self._read, self._read_raw = layouts.read, layouts.read_raw
        self._known: dict[bytes, Layout] = {}
        """Without the id, and with marks in place of the numbers."""
        self._known_whole: dict[bytes, Layout] = {}
        """To the byte: of JSON that has neither."""

    def decode(self, body: Buffer, header_length: int | None = None) -> InferRequest:
        """The request in `body`.

        Args:
            body: JSON, followed by binary tensors when `header_length` says so.
            header_length: the header `Inference-Header-Content-Length`; 0 is a raw request, None is JSON alone.

        Raises:
            WireError: anything that the protocol or the signature does not allow.
        """
        arrays: list[bytes] = []
        request_id: str | None = None
        if header_length == 0:
            layout, offset = self._read_raw(len(body)), 0
        else:
            offset = len(body) if header_length is None else header_length
            if offset > len(body):
                raise WireError(
                    f"Inference-Header-Content-Length is {header_length}, but the body has {len(body)} bytes"
                )
            header = bytes(body if header_length is None else body[:offset])
            known = None if header_length is None else self._known_whole.get(header)
            if known is not None:
                layout = known
            else:
                rest, arrays = cut_arrays(header)
                layout, request_id = self._recall(rest, len(arrays))
        if offset + layout.binary_bytes != len(body):
            raise WireError(
                f"the inputs' binary_data_size sum to {layout.binary_bytes} bytes, "
                f"but {len(body) - offset} follow the JSON part"
            )
        inputs = {
            name: decode_binary(datatype, shape, body, offset + start, size)
            if data is None
            else decode_json(datatype, shape, arrays[data] if isinstance(data, int) else data)
            for name, datatype, shape, start, size, data in layout.pieces
        }
        return InferRequest(
            inputs,
            layout.rows,
            layout.elements,
            layout.batch_key,
            layout.wishes,
            request_id,
            layout.priority,
            layout.timeout_us,
            layout.parameters,
        )

    def _recall(self, header: bytes, arrays: int) -> tuple[Layout, str | None]:
        """What the JSON says, and its id."""
        if len(header) > _KNOWN_HEADER_BYTES:
            layout = self._read(header, arrays)
            return layout, layout.id
        match = _LEADING_ID.match(header)
        if match is not None:
            header = b"{" + header[match.end() :]
        layout_known = self._known.get(header)
        if layout_known is None:
            layout = self._read(header, arrays)
            if layout.id is None and not any(isinstance(piece.data, bytes) for piece in layout.pieces):
                if len(self._known) >= _KNOWN_LAYOUTS:
                    self._known.clear()
                    self._known_whole.clear()
                self._known[header] = layout
                if match is None and not arrays:
                    self._known_whole[header] = layout
        else:
            layout = layout_known
        # Of two ids in one object the last one counts, as everywhere in this decoder.
        return layout, layout.id if match is None or layout.id is not None else match[1].decode()
