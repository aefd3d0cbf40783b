"""PynamoDB: models, indexes, updates with conditions, transactions; runs against any DynamoDB endpoint with --endpoint."""
import pytest

pynamodb = pytest.importorskip("pynamodb", reason="script/setup --test installs it")
from pynamodb.attributes import ListAttribute, MapAttribute, NumberAttribute, UnicodeAttribute, VersionAttribute  # noqa: E402
from pynamodb.connection import Connection  # noqa: E402
from pynamodb.exceptions import DeleteError, PutError, TransactWriteError, UpdateError  # noqa: E402
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex  # noqa: E402
from pynamodb.models import Model  # noqa: E402
from pynamodb.transactions import TransactWrite  # noqa: E402


def models(session):
    credentials = session._request_signer._credentials.get_frozen_credentials()

    class ByAuthor(GlobalSecondaryIndex):
        class Meta:
            index_name = "by_author"
            projection = AllProjection()
        author = UnicodeAttribute(hash_key=True)
        year = NumberAttribute(range_key=True)

    class Book(Model):
        class Meta:
            table_name = "pynamodb-books"
            region, host = session.meta.region_name, session.meta.endpoint_url
            aws_access_key_id, aws_secret_access_key = credentials.access_key, credentials.secret_key
            billing_mode = "PAY_PER_REQUEST"
        shelf = UnicodeAttribute(hash_key=True)
        title = UnicodeAttribute(range_key=True)
        author = UnicodeAttribute()
        year = NumberAttribute()
        words = ListAttribute(default=list)
        place = MapAttribute(default=dict)
        version = VersionAttribute()
        by_author = ByAuthor()

    return Book


def test_models(client):
    session = client("dynamodb")
    Book = models(session)
    Book.create_table(wait=True)
    try:
        assert Book.exists()
        with Book.batch_write() as batch:
            for year in range(1990, 2020):
                batch.save(Book("a", f"t{year}", author="x" if year % 2 else "y", year=year, words=["one", 2], place={"row": 1}))
        book = Book.get("a", "t1999")
        assert book.words == ["one", 2] and book.place.as_dict() == {"row": 1} and book.year == 1999
        assert [each.year for each in Book.query("a", Book.title.between("t2000", "t2002"))] == [2000, 2001, 2002]
        assert [each.year for each in Book.by_author.query("x", Book.year > 2014, scan_index_forward=False)] == [2019, 2017, 2015]
        assert Book.count("a", filter_condition=Book.author == "y") == 15
        stale = Book.get("a", "t1999")
        book.update(actions=[Book.words.set(Book.words.append(["three"])), Book.year.add(1)], condition=Book.author == "x")
        assert Book.get("a", "t1999").words == ["one", 2, "three"]
        with pytest.raises((PutError, UpdateError)):
            stale.save()  # another version was written meanwhile
        connection = Connection(region=session.meta.region_name, host=session.meta.endpoint_url)
        connection.session.set_credentials(*session._request_signer._credentials.get_frozen_credentials()[:2])
        with pytest.raises(TransactWriteError):
            with TransactWrite(connection=connection) as transaction:
                transaction.save(Book("b", "new", author="z", year=1))
                transaction.condition_check(Book, "a", "t1990", condition=Book.year > 3000)
        assert Book.count("b") == 0
        with pytest.raises(DeleteError):
            Book.get("a", "t1990").delete(condition=Book.year == 1)
        assert len(list(Book.scan(limit=7, page_size=3))) == 7
    finally:
        Book.delete_table()
