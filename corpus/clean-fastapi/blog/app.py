from fastapi import Depends, FastAPI
from sqlalchemy import Column, Integer, String, create_engine
from sqlalchemy.orm import Session, declarative_base

Base = declarative_base()
app = FastAPI()


class Post(Base):
    __tablename__ = "posts"
    id = Column(Integer, primary_key=True)
    title = Column(String)


def get_session():
    with Session(create_engine("sqlite:///blog.db")) as session:
        yield session


@app.post("/posts/{title}")
def create(title: str, session: Session = Depends(get_session)):
    post = Post(title=title)
    session.add(post)
    session.commit()
    return {"id": post.id}


@app.get("/posts")
def posts(session: Session = Depends(get_session)):
    return [post.title for post in session.query(Post).order_by(Post.id)]
