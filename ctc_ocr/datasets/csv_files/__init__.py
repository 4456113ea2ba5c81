"""CSV files from outside, from their bytes to the image and the label of each row.

text.py decodes them into lines, fields.py divides a line, header.py knows the names of columns, layout.py finds
delimiter and header, columns.py the columns of image and label, units.py divides a label, form.py puts this together,
paths.py finds the image files, and writing.py writes such files.
"""
