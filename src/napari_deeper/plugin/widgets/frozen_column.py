"""Keep the first column of a table in sight while the others are scrolled."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QAbstractItemView, QTableView, QTableWidget


class FrozenColumn(QTableView):
    """A second view of a table's first column, laid over its left edge; Qt has none of its own.

    Parameters
    ----------
    table
        Whose rows, selection and sorting it shares. Call `place` when its columns changed.
    """

    def __init__(self, table: QTableWidget) -> None:
        super().__init__(table)
        self._table = table
        self.setModel(table.model())
        self.setSelectionModel(table.selectionModel())
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setFrameShape(QTableView.Shape.NoFrame)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setWordWrap(False)
        table.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self._link()
        table.installEventFilter(self)
        self.hide()

    def _link(self) -> None:
        ours, theirs = self.verticalScrollBar(), self._table.verticalScrollBar()
        if ours is not None and theirs is not None:
            theirs.valueChanged.connect(ours.setValue)
            ours.valueChanged.connect(theirs.setValue)
        rows, own_rows = self._table.verticalHeader(), self.verticalHeader()
        if rows is not None and own_rows is not None:
            own_rows.setVisible(False)
            own_rows.setDefaultSectionSize(rows.defaultSectionSize())
        columns, own_columns = self._table.horizontalHeader(), self.horizontalHeader()
        if columns is not None and own_columns is not None:
            columns.sectionResized.connect(lambda *_: self.place())
            columns.sortIndicatorChanged.connect(own_columns.setSortIndicator)
            own_columns.setSectionsClickable(True)
            own_columns.setSortIndicatorShown(True)
            own_columns.sectionClicked.connect(self._sort)

    def _sort(self, column: int) -> None:
        header = self._table.horizontalHeader()
        if header is None:
            return
        rising = Qt.SortOrder.AscendingOrder
        again = header.sortIndicatorSection() == column and header.sortIndicatorOrder() == rising
        self._table.sortItems(column, Qt.SortOrder.DescendingOrder if again else rising)

    def place(self) -> None:
        """Lie exactly over the first column of the table."""
        columns = self._table.columnCount()
        self.setVisible(columns > 1)
        if columns < 2:
            return
        for column in range(columns):
            self.setColumnHidden(column, column > 0)
        width, frame = self._table.columnWidth(0), self._table.frameWidth()
        if self.columnWidth(0) != width:
            self.setColumnWidth(0, width)
        header, own = self._table.horizontalHeader(), self.horizontalHeader()
        height = 0
        if header is not None and own is not None:
            height = header.height()
            own.setFixedHeight(height)
        viewport = self._table.viewport()
        inner = viewport.height() if viewport is not None else 0
        self.setGeometry(frame, frame, width, height + inner)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Follow the table's size."""
        kinds = (QEvent.Type.Resize, QEvent.Type.Show, QEvent.Type.LayoutRequest)
        if event is not None and event.type() in kinds:
            self.place()
        return False
